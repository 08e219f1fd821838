/* The clean twin of canary_overflow.c: the same writes end at the end. shim must be silent. */
#define CLEAN
#include "canary_overflow.c"
