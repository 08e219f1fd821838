/* The clean twin of double_free_realloc_zero.c: without the free. shim must be silent. */
#define CLEAN
#include "double_free_realloc_zero.c"
