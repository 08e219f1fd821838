/* The clean twin of close_twice.c: without the second close. shim must be silent. */
#define CLEAN
#include "close_twice.c"
