#define CLEAN
#include "not_owner_kinds.c"
