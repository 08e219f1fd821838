/* The clean twin of double_free_realloc.c: without the realloc. shim must be silent. */
#define CLEAN
#include "double_free_realloc.c"
