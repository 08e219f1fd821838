/* Each is closed. */
#define CLEAN
#include "leak_never_used.c"
