/* Each is closed. */
#define CLEAN
#include "leak_dup.c"
