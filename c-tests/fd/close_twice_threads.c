/*
 * main opens, one thread closes, another thread closes once more.
 * C1 across threads. Neither closer opened the descriptor; passing it on is no fault, closing it twice is.
 */
#include "../test.h"

static void *first(void *fd)
{
    CHECK(close(*(int *)fd) == 0); /* closed */
    return NULL;
}

static void *second(void *fd)
{
#ifndef CLEAN
    CHECK(close(*(int *)fd) == -1 && errno == EBADF); /* here */
#endif
    return fd;
}

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
    IN_THREAD(first, &fd);
    IN_THREAD(second, &fd);
    printf("ok\n");
    return 0;
}
