/* The clean twin of guard_overflow.c: nothing is touched outside. shim must be silent. */
#define CLEAN
#include "guard_overflow.c"
