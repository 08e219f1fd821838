/*
 * An epoll descriptor is closed twice.
 * C1. fstat cannot tell two epoll descriptors apart; the record can.
 */
#include "../test.h"
#include <sys/epoll.h>

int main(void)
{
    int fd = AT(120, epoll_create1(EPOLL_CLOEXEC)); /* opened */
    CHECK(close(fd) == 0);                          /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
