#define CLEAN
#include "upgrade.c"
