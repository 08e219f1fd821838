/* The clean twin of invalid_free_freed_interior.c: without the second free. shim must be silent. */
#define CLEAN
#include "invalid_free_freed_interior.c"
