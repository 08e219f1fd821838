/* The clean twin of guard_handler.c: its handler sees its own fault only. shim must be silent. */
#define CLEAN
#include "guard_handler.c"
