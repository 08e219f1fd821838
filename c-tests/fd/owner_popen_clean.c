/* The clean twin of owner_popen.c: pclose alone. shim must be silent. */
#define CLEAN
#include "owner_popen.c"
