/* The clean twin of close_twice_opener.c: the thread that was handed the descriptor is the only one to close it. shim must be silent. */
#define CLEAN
#include "close_twice_opener.c"
