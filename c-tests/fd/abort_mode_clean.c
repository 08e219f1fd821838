/* The clean twin of abort_mode.c: nothing to abort for. shim must be silent. */
#define CLEAN
#include "abort_mode.c"
