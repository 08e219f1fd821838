/* The clean twin of tombstone_calls.c: the number is open while it is used. shim must be silent. */
#define CLEAN
#include "tombstone_calls.c"
