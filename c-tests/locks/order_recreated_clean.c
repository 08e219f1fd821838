#define CLEAN
#include "order_recreated.c"
