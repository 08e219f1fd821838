/* The clean twin of double_free_reused_unseen.c: without the stale free. shim must be silent. */
#define CLEAN
#include "double_free_reused_unseen.c"
