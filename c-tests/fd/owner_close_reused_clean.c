/* The clean twin of owner_close_reused.c: fclose alone. shim must be silent. */
#define CLEAN
#include "owner_close_reused.c"
