/* The clean twin of lost.c: what it loses there is freed here. */
#define CLEAN
#include "lost.c"
