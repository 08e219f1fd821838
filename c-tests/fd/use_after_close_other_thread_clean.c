/* The clean twin of use_after_close_other_thread.c: the reader is done before the close. shim must be silent. */
#define CLEAN
#include "use_after_close_other_thread.c"
