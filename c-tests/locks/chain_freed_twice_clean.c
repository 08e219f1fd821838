#define CLEAN
#include "chain_freed_twice.c"
