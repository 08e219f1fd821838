#define CLEAN
#include "unloaded_held.c"
