#define CLEAN
#include "order_on_stack.c"
