#define CLEAN
#include "stale_variable.c"
