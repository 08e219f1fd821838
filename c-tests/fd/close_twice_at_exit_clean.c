/* The clean twin of close_twice_at_exit.c: the handler finds nothing left to close. shim must be silent. */
#define CLEAN
#include "close_twice_at_exit.c"
