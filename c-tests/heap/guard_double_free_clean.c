/* The clean twin of guard_double_free.c: it is freed once. shim must be silent. */
#define CLEAN
#include "guard_double_free.c"
