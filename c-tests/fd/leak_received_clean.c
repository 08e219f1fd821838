/* Each is closed. */
#define CLEAN
#include "leak_received.c"
