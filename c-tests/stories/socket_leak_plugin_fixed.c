/* The plugin of the socket leak, repaired: every way out closes. shim must be silent. */
#define FIXED
#include "socket_leak_plugin.c"
