/* Each is closed. */
#define CLEAN
#include "leak_two_fates.c"
