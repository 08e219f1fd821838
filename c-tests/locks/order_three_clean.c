#define CLEAN
#include "order_three.c"
