/* The clean twin of quarantine_at_exit.c: nobody writes. shim must be silent. */
#define CLEAN
#include "quarantine_at_exit.c"
