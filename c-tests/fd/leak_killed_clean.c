/* The clean twin of leak_killed.c: closed where it is over. shim must be silent. */
#define CLEAN
#include "leak_killed.c"
