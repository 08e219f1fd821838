/* The clean twin of leak_hard_exit.c: what it loses there is freed here. */
#define CLEAN
#include "leak_hard_exit.c"
