/* The clean twin of quarantine_write.c: nobody writes. shim must be silent. */
#define CLEAN
#include "quarantine_write.c"
