/* The clean twin of killed_mid_write.c: without the second close. shim must be silent. */
#define CLEAN
#include "killed_mid_write.c"
