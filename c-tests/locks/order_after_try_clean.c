#define CLEAN
#include "order_after_try.c"
