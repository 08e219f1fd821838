#define CLEAN
#include "order_threads.c"
