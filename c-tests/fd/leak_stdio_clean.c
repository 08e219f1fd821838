/* Each FILE is closed. */
#define CLEAN
#include "leak_stdio.c"
