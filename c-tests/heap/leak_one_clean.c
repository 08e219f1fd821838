/* The clean twin of leak_one.c: what it loses there is freed here. */
#define CLEAN
#include "leak_one.c"
