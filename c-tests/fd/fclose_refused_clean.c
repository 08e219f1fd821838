/* The clean twin of fclose_refused.c: without the close of the number. shim must be silent. */
#define CLEAN
#include "fclose_refused.c"
