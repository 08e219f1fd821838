#define CLEAN
#include "order_reused_memory.c"
