/* The clean twin of quarantine_double_free.c: it is freed once. shim must be silent. */
#define CLEAN
#include "quarantine_double_free.c"
