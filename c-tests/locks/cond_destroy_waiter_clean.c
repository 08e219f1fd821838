#define CLEAN
#include "cond_destroy_waiter.c"
