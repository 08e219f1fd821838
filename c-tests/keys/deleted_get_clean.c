#define CLEAN
#include "deleted_get.c"
