#define CLEAN
#include "destroyed_rwlock_heap.c"
