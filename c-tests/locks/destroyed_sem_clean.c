#define CLEAN
#include "destroyed_sem.c"
