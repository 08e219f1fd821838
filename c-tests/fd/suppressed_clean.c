/* The clean twin of suppressed.c: without the close behind the FILE's back. shim must be silent. */
#define CLEAN
#include "suppressed.c"
