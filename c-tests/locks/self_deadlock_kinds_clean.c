#define CLEAN
#include "self_deadlock_kinds.c"
