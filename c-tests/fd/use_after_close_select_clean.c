/* The clean twin of use_after_close_select.c: select() comes before the close. shim must be silent. */
#define CLEAN
#include "use_after_close_select.c"
