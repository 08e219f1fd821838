/* The clean twin of failed_after_once.c: the lock is taken once. shim must be silent. */
#define CLEAN
#include "failed_after_once.c"
