#define CLEAN
#include "leak_tree.c"
