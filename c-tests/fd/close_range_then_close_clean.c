/* The clean twin of close_range_then_close.c: without the second close. shim must be silent. */
#define CLEAN
#include "close_range_then_close.c"
