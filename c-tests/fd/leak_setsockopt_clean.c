/* The way out closes. */
#define CLEAN
#include "leak_setsockopt.c"
