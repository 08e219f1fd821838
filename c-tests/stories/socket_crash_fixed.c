/* The socket crash, repaired: on_connection_closed() leaves closing to finish_request(). shim must be silent. */
#define CLEAN
#include "socket_crash.c"
