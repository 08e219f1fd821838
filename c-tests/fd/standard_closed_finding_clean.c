/* The clean twin of standard_closed_finding.c: without the second close. shim must be silent. */
#define CLEAN
#include "standard_closed_finding.c"
