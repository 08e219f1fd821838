#define CLEAN
#include "order_try.c"
