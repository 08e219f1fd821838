#define CLEAN
#include "freed_held_other.c"
