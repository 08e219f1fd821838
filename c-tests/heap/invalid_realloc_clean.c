/* The clean twin of invalid_realloc.c: nothing is reallocated. shim must be silent. */
#define CLEAN
#include "invalid_realloc.c"
