/* The clean twin of double_free_fork.c: without the second free. shim must be silent. */
#define CLEAN
#include "double_free_fork.c"
