/* The way out closes. */
#define CLEAN
#include "leak_so_error.c"
