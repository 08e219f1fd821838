#define CLEAN
#include "never_created_set.c"
