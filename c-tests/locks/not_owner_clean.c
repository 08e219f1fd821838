#define CLEAN
#include "not_owner.c"
