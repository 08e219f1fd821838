/* The clean twin of tombstone_calls.c: the number is open while it is used. shim must be silent. (Not under protect: there
 * the numbers that dup returns are others, see docs/limits.md.) */
#define CLEAN
#include "tombstone_calls.c"
