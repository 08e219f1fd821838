#define CLEAN
#include "not_locked.c"
