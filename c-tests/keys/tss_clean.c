#define CLEAN
#include "tss.c"
