/* The clean twin of leak_ended_thread.c: what it loses there is freed here. */
#define CLEAN
#include "leak_ended_thread.c"
