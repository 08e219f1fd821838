/* The clean twin of plugin_unloaded.c: without the second free. shim must be silent. */
#define CLEAN
#include "plugin_unloaded.c"
