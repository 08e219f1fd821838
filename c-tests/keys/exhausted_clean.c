#define CLEAN
#include "exhausted.c"
