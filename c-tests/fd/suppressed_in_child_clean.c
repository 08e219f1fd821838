/* The clean twin of suppressed_in_child.c: without the second close. shim must be silent. */
#define CLEAN
#include "suppressed_in_child.c"
