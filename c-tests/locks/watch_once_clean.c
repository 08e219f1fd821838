#define CLEAN
#include "watch_once.c"
