/*
 * getsockopt() on a number that the program has closed.
 * The record says by whom it was closed and the kernel agrees that it is closed: use after close.
 */
#include "../test.h"

int main(void)
{
    int type;
    socklen_t size = sizeof type;
    int fd = AT(100, tcp()); /* opened */
#ifdef CLEAN
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0);
#endif
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
