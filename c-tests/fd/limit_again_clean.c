/* Three times 150. */
#define CLEAN
#include "limit_again.c"
