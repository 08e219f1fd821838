/* The clean twin of double_free.c: without the second free. shim must be silent. */
#define CLEAN
#include "double_free.c"
