/* Each DIR is closed. */
#define CLEAN
#include "leak_dir.c"
