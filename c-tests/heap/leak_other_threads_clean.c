#define CLEAN
#include "leak_other_threads.c"
