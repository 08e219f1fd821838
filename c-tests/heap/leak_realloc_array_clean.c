/* The clean twin of leak_realloc_array.c: what it loses there is freed here. */
#define CLEAN
#include "leak_realloc_array.c"
