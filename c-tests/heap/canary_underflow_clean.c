/* The clean twin of canary_underflow.c: the same writes begin at the start. shim must be silent. */
#define CLEAN
#include "canary_underflow.c"
