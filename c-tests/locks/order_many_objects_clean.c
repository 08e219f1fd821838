#define CLEAN
#include "order_many_objects.c"
