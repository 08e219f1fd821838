#define CLEAN
#include "deleted_set.c"
