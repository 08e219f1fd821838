/* The clean twin of use_after_close_send.c: send() comes before the close. shim must be silent. */
#define CLEAN
#include "use_after_close_send.c"
