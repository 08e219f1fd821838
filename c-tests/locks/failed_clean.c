#define CLEAN
#include "failed.c"
