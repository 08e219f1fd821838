/* The clean twin of leak_xor.c: what it loses there is freed here. */
#define CLEAN
#include "leak_xor.c"
