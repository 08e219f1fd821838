#define CLEAN
#include "never_created_delete.c"
