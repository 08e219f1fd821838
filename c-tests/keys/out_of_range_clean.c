#define CLEAN
#include "out_of_range.c"
