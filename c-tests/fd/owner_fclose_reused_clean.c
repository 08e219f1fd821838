/* The clean twin of owner_fclose_reused.c: without the raw close. shim must be silent. */
#define CLEAN
#include "owner_fclose_reused.c"
