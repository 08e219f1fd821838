/* The clean twin of clone_beside.c: without the second close. shim must be silent. */
#define CLEAN
#include "clone_beside.c"
