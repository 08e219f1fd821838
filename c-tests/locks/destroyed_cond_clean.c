#define CLEAN
#include "destroyed_cond.c"
