/*
 * close_range() of exactly one number, then a close of it.
 * C1: a range with an end of its own is a close like any other, not a sweep.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null());        /* opened */
    CHECK(close_range(fd, fd, 0) == 0); /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
