/*
 * select() on a number that the program has closed.
 * The record says by whom it was closed and the kernel agrees that it is closed: use after close.
 */
#include "../test.h"
#include <sys/select.h>

int main(void)
{
    struct timeval now = {0, 0};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(100, &set);
    int fd = AT(100, open("/dev/zero", O_RDONLY)); /* opened */
#ifdef CLEAN
    CHECK(select(fd + 1, &set, NULL, NULL, &now) == 1);
#endif
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(select(fd + 1, &set, NULL, NULL, &now) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
