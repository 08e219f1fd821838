/* The clean twin of heap/abort_mode.c: nothing is freed twice. shim must be silent. */
#define CLEAN
#include "abort_mode.c"
