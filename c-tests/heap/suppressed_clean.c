/* The clean twin of heap/suppressed.c. shim must be silent. */
#define CLEAN
#include "suppressed.c"
