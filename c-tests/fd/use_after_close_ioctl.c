/*
 * ioctl() on a number that the program has closed.
 * The record says by whom it was closed and the kernel agrees that it is closed: use after close.
 */
#include "../test.h"
#include <sys/ioctl.h>

int main(void)
{
    int bytes;
    int fd = AT(100, socket(AF_INET, SOCK_DGRAM, 0)); /* opened */
#ifdef CLEAN
    CHECK(ioctl(fd, FIONREAD, &bytes) == 0);
#endif
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(ioctl(fd, FIONREAD, &bytes) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
