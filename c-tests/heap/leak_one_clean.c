#define CLEAN
#include "leak_one.c"
