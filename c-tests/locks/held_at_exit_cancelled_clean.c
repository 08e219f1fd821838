#define CLEAN
#include "held_at_exit_cancelled.c"
