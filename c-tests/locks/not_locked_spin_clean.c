#define CLEAN
#include "not_locked_spin.c"
