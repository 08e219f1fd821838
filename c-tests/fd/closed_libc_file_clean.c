/* The clean twin of closed_libc_file.c: without the second close. shim must be silent. */
#define CLEAN
#include "closed_libc_file.c"
