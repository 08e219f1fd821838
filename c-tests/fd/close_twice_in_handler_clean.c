/* The clean twin of close_twice_in_handler.c: the handler closes once. shim must be silent. */
#define CLEAN
#include "close_twice_in_handler.c"
