#define CLEAN
#include "cond_init_waiter.c"
