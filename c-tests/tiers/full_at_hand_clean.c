/* Nothing is asked for that the tier has not: with one at hand it has room for all the others. */
#define CLEAN
#include "full_at_hand.c"
