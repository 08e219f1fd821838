/* The way out closes. */
#define CLEAN
#include "leak_underscore_exit.c"
