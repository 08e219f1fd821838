/* The clean twin of sandbox_kills.c: without the second close. shim must be silent. */
#define CLEAN
#include "sandbox_kills.c"
