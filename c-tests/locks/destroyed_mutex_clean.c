#define CLEAN
#include "destroyed_mutex.c"
