#define CLEAN
#include "foreign_get.c"
