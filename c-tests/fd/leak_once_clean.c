/* Both are closed. */
#define CLEAN
#include "leak_once.c"
