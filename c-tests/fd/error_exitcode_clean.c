/* The clean twin of error_exitcode.c: without the second close, the exit status is the program's own. shim must be silent. */
#define CLEAN
#include "error_exitcode.c"
