/* The clean twin of owner_closedir.c: closedir alone. shim must be silent. */
#define CLEAN
#include "owner_closedir.c"
