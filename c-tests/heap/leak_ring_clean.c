#define CLEAN
#include "leak_ring.c"
