#define CLEAN
#include "cond_not_held_unseen.c"
