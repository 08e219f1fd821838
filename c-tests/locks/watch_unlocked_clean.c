#define CLEAN
#include "watch_unlocked.c"
