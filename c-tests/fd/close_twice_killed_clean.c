/* The clean twin of close_twice_killed.c: without the second close. shim must be silent. */
#define CLEAN
#include "close_twice_killed.c"
