/* The clean twin of double_free_threads.c: without the second free. shim must be silent. */
#define CLEAN
#include "double_free_threads.c"
