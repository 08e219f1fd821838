#define CLEAN
#include "ignored_after.c"
