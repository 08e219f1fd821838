/* The clean twin of invalid_free_behind.c: the block only. shim must be silent. */
#define CLEAN
#include "invalid_free_behind.c"
