/* The clean twin of double_free_in_fastbin.c: without the second free. shim must be silent. */
#define CLEAN
#include "double_free_in_fastbin.c"
