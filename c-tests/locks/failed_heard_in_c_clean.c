#define CLEAN
#include "failed_heard_in_c.c"
