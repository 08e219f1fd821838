/* The clean twin of lost_beside_threads.c: what it loses there is freed here. */
#define CLEAN
#include "lost_beside_threads.c"
