/* The clean twin of address_space_limit.c: without the second free. shim must be silent. */
#define CLEAN
#include "address_space_limit.c"
