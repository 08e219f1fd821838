/* The clean twin of double_free_every_allocator.c: each block once. shim must be silent. */
#define CLEAN
#include "double_free_every_allocator.c"
