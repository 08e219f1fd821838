#define CLEAN
#include "not_owner_handed.c"
