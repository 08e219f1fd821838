/*
 * main closes, and a function registered with atexit() closes once more.
 * C1: the program is watched until the end.
 */
#include "../test.h"

static int fd;

static void at_exit(void)
{
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
}

int main(void)
{
    atexit(at_exit);
    fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);     /* closed */
    printf("ok\n");
    return 0;
}
