#define CLEAN
#include "leak_xor.c"
