#define CLEAN
#include "unloaded.c"
