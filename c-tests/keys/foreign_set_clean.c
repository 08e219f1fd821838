#define CLEAN
#include "foreign_set.c"
