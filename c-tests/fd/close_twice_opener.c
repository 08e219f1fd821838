/*
 * main opens and hands over, the worker closes, main forgets that and closes too.
 * C1: the worker's close is an ordinary hand-off, main's comes second.
 */
#include "../test.h"

static void *worker(void *fd)
{
    CHECK(close(*(int *)fd) == 0); /* closed */
    return NULL;
}

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
    IN_THREAD(worker, &fd);
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
