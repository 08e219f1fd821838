/* The clean twin of close_twice_in_destructor.c: the destructor finds nothing left to close. shim must be silent. */
#define CLEAN
#include "close_twice_in_destructor.c"
