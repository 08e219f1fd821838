/* The clean twin of new_fails.cc: the last block is freed by its own. shim must be silent. */
#define CLEAN
#include "new_fails.cc"
