#define CLEAN
#include "cond_two_mutexes.c"
