#define CLEAN
#include "failed_limits.c"
