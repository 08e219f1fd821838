#define CLEAN
#include "leak_list.c"
