/* The clean twin of guard_small_stack.c: it has a fault of its own only. shim must be silent. */
#define CLEAN
#include "guard_small_stack.c"
