#define CLEAN
#include "self_deadlock_spin.c"
