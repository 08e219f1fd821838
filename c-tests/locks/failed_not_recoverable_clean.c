#define CLEAN
#include "failed_not_recoverable.c"
