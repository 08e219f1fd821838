/* The clean twin of use_after_close_read.c: read() comes before the close. shim must be silent. */
#define CLEAN
#include "use_after_close_read.c"
