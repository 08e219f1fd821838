#define CLEAN
#include "self_deadlock.c"
