/* Both ends are closed. */
#define CLEAN
#include "leak_pipe.c"
