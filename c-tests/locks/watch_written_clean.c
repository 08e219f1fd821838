#define CLEAN
#include "watch_written.c"
