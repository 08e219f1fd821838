#define CLEAN
#include "self_deadlock_abort.c"
