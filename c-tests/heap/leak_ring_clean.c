/* The clean twin of leak_ring.c: what it loses there is freed here. */
#define CLEAN
#include "leak_ring.c"
