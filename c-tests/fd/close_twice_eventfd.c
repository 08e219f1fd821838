/*
 * An eventfd is closed twice.
 * C1. fstat cannot tell two eventfds apart; the record can.
 */
#include "../test.h"
#include <sys/eventfd.h>

int main(void)
{
    int fd = AT(130, eventfd(0, EFD_CLOEXEC)); /* opened */
    CHECK(close(fd) == 0);                     /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
