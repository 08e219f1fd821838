/* The clean twin of double_free_race.c: one thread only frees. shim must be silent. */
#define CLEAN
#include "double_free_race.c"
