/* The clean twin of invalid_free_misaligned.c: nothing is freed. shim must be silent. */
#define CLEAN
#include "invalid_free_misaligned.c"
