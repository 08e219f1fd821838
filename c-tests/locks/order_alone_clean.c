#define CLEAN
#include "order_alone.c"
