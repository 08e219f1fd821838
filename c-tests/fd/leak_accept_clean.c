/* The end of the stream closes. */
#define CLEAN
#include "leak_accept.c"
