/* The clean twin of double_free_realloc_moved.c: without the free of the old pointer. shim must be silent. */
#define CLEAN
#include "double_free_realloc_moved.c"
