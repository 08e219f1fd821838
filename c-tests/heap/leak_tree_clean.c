/* The clean twin of leak_tree.c: what it loses there is freed here. */
#define CLEAN
#include "leak_tree.c"
