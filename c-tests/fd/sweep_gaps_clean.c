/* The clean twin of sweep_gaps.c: nothing of the list was closed before. shim must be silent. */
#define CLEAN
#include "sweep_gaps.c"
