/*
 * One thread closes a number twice; nothing took the number in between.
 * C1: the record says closed and the kernel agrees, so both closes and the opening are named.
 */
#include "../test.h"

static void close_once(int fd)
{
    CHECK(close(fd) == 0); /* closed */
}

static void close_again(int fd)
{
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
}

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
    close_once(fd);
#ifndef CLEAN
    close_again(fd);
#else
    (void)close_again;
#endif
    printf("ok\n");
    return 0;
}
