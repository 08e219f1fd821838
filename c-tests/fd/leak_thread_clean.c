/* This one closes as well. */
#define CLEAN
#include "leak_thread.c"
