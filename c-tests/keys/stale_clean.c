#define CLEAN
#include "stale.c"
