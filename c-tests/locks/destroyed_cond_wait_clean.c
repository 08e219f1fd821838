#define CLEAN
#include "destroyed_cond_wait.c"
