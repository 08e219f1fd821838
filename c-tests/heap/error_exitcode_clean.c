/* The clean twin of heap/error_exitcode.c: nothing invalid is freed. shim must be silent. */
#define CLEAN
#include "error_exitcode.c"
