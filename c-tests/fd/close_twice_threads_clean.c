/* The clean twin of close_twice_threads.c: only the first thread closes. shim must be silent. */
#define CLEAN
#include "close_twice_threads.c"
