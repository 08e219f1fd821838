/* The clean twin of close_race.c: one of the two threads closes. shim must be silent. */
#define CLEAN
#include "close_race.c"
