/*
 * The same double close, a thousand times.
 * C1: identical findings (kind and stacks) are one, with their count.
 */
#include "../test.h"

static void close_again(int fd)
{
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
}

int main(void)
{
    int null = open_null();
    for (int i = 0; i < 1000; i++) {
        int fd = dup2(null, 100); /* opened */
        CHECK(fd == 100);
        CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
        close_again(fd);
#else
        (void)close_again;
#endif
    }
    close(null);
    printf("ok\n");
    return 0;
}
