#define CLEAN
#include "freed_held_realloc.c"
