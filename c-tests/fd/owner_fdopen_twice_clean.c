/* The clean twin of owner_fdopen_twice.c: one FILE for one descriptor. shim must be silent. */
#define CLEAN
#include "owner_fdopen_twice.c"
