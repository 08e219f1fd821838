#define CLEAN
#include "order_objects.cc"
