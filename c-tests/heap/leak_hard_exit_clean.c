#define CLEAN
#include "leak_hard_exit.c"
