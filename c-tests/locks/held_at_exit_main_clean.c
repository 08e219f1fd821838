#define CLEAN
#include "held_at_exit_main.c"
