#define CLEAN
#include "cond_anothers_mutex.c"
