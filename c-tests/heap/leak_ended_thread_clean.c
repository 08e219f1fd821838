#define CLEAN
#include "leak_ended_thread.c"
