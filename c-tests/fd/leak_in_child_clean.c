/* The child closes. */
#define CLEAN
#include "leak_in_child.c"
