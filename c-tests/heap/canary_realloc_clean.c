/* The clean twin of canary_realloc.c: nothing is written beyond the blocks. shim must be silent. */
#define CLEAN
#include "canary_realloc.c"
