/* The clean twin of canary_aligned.c: the same writes hit the blocks. shim must be silent. */
#define CLEAN
#include "canary_aligned.c"
