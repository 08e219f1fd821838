/* The clean twin of double_close_held_over_fork.c: without the second close. shim must be silent. */
#define CLEAN
#include "double_close_held_over_fork.c"
