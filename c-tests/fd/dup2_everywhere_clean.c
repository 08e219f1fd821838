#define CLEAN
#include "dup2_everywhere.c"
