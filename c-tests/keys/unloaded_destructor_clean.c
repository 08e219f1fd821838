#define CLEAN
#include "unloaded_destructor.c"
