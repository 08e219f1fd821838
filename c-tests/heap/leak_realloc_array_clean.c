#define CLEAN
#include "leak_realloc_array.c"
