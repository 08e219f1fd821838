/* The clean twin of guard_slack.c: nothing is written beside them. shim must be silent. */
#define CLEAN
#include "guard_slack.c"
