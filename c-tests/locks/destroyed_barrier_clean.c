#define CLEAN
#include "destroyed_barrier.c"
