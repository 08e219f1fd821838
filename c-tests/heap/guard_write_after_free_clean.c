/* The clean twin of guard_write_after_free.c: nobody writes. shim must be silent. */
#define CLEAN
#include "guard_write_after_free.c"
