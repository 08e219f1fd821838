#define CLEAN
#include "decoy.c"
