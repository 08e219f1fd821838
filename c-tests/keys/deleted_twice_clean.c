#define CLEAN
#include "deleted_twice.c"
