#define CLEAN
#include "unmapped_held.c"
