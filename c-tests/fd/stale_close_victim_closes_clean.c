/* The clean twin of stale_close_victim_closes.c: without the second close. shim must be silent. */
#define CLEAN
#include "stale_close_victim_closes.c"
