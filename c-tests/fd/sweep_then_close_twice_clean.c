/* The clean twin of sweep_then_close_twice.c: without the second close. shim must be silent. */
#define CLEAN
#include "sweep_then_close_twice.c"
