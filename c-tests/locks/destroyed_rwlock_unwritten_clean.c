#define CLEAN
#include "destroyed_rwlock_unwritten.c"
