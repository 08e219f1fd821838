#define CLEAN
#include "leak_fork.c"
