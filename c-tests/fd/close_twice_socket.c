/*
 * A socket is closed twice by one thread.
 * C1. Under protect the number is in quarantine when the second close comes; the answer is the same.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(110, tcp()); /* opened */
    CHECK(close(fd) == 0);   /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
