#define CLEAN
#include "self_deadlock_c11.c"
