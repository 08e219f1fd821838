#define CLEAN
#include "never_created_get.c"
