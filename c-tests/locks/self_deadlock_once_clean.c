#define CLEAN
#include "self_deadlock_once.c"
