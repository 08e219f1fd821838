/* The clean twin of guard_use_after_free.c: it is not read. shim must be silent. */
#define CLEAN
#include "guard_use_after_free.c"
