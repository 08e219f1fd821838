#define CLEAN
#include "chain_written.c"
