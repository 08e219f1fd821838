#define CLEAN
#include "held_at_exit.c"
