#define CLEAN
#include "order_ab_ba.c"
