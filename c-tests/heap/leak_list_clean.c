/* The clean twin of leak_list.c: what it loses there is freed here. */
#define CLEAN
#include "leak_list.c"
