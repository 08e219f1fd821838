#define CLEAN
#include "foreign_delete.c"
