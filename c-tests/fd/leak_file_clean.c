/* Each is closed. */
#define CLEAN
#include "leak_file.c"
