/* Each is closed. */
#define CLEAN
#include "leak_threads_files.c"
