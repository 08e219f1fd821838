/* The clean twin of canary_at_exit.c: nothing is overwritten. shim must be silent. */
#define CLEAN
#include "canary_at_exit.c"
