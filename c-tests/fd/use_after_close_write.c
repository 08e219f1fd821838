/*
 * write() on a number that the program has closed.
 * The record says by whom it was closed and the kernel agrees that it is closed: use after close.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
#ifdef CLEAN
    CHECK(write(fd, "x", 1) == 1);
#endif
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(write(fd, "x", 1) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
