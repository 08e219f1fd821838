#define CLEAN
#include "order_one_thread.c"
