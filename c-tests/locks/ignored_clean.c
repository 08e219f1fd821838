#define CLEAN
#include "ignored.c"
