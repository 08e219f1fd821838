/* The clean twin of invalid_free_mapped.c: nothing is freed. shim must be silent. */
#define CLEAN
#include "invalid_free_mapped.c"
