/* The clean twin of stale_close_chain.c: without the second close. shim must be silent. */
#define CLEAN
#include "stale_close_chain.c"
