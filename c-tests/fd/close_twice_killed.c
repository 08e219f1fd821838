/*
 * A double close, and then SIGKILL.
 * C1: the recording is memory that the kernel keeps, so SIGKILL loses nothing.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    fflush(stdout);
    kill(getpid(), SIGKILL);
    return 1;
}
