#define CLEAN
#include "cond_not_held.c"
