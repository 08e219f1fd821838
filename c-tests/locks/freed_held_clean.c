#define CLEAN
#include "freed_held.c"
