/* The clean twin of leak_other_threads.c: what it loses there is freed here. */
#define CLEAN
#include "leak_other_threads.c"
