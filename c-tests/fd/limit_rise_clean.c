/* 150 are no news. */
#define CLEAN
#include "limit_rise.c"
