#define CLEAN
#include "not_locked_c11.c"
