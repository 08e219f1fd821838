/* The clean twin of fclose_then_close.c: fclose alone. shim must be silent. */
#define CLEAN
#include "fclose_then_close.c"
