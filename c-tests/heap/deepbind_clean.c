/* The clean twin of deepbind.c: every block is freed once. shim must be silent. */
#define CLEAN
#include "deepbind.c"
