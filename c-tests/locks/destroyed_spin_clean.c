#define CLEAN
#include "destroyed_spin.c"
