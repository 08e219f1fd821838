/* The clean twin of close_twice_in_child.c: the child closes once. shim must be silent. */
#define CLEAN
#include "close_twice_in_child.c"
