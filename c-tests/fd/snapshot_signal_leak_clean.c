/* The clean twin of snapshot_signal_leak.c: closed where it is over. shim must be silent. */
#define CLEAN
#include "snapshot_signal_leak.c"
