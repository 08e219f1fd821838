/* The clean twin of use_after_close_epoll_ctl.c: epoll_ctl() comes before the close. shim must be silent. */
#define CLEAN
#include "use_after_close_epoll_ctl.c"
