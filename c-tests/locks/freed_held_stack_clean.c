#define CLEAN
#include "freed_held_stack.c"
