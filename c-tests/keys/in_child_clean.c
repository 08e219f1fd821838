#define CLEAN
#include "in_child.c"
