/* The clean twin of leak_fork.c: what it loses there is freed here. */
#define CLEAN
#include "leak_fork.c"
