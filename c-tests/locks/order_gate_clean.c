#define CLEAN
#include "order_gate.c"
