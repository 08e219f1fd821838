#define CLEAN
#include "destroyed_rwlock.c"
