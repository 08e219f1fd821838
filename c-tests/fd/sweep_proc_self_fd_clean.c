/* The clean twin of sweep_proc_self_fd.c: without the second close. shim must be silent. */
#define CLEAN
#include "sweep_proc_self_fd.c"
