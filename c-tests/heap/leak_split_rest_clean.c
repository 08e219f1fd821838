/* The clean twin of leak_split_rest.c: the block is freed. shim must be silent. */
#define CLEAN
#include "leak_split_rest.c"
