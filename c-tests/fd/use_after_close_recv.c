/*
 * recv() on a number that the program has closed.
 * The record says by whom it was closed and the kernel agrees that it is closed: use after close.
 */
#include "../test.h"

int main(void)
{
    char byte;
    int fd = AT(100, socket(AF_INET, SOCK_DGRAM, 0)); /* opened */
#ifdef CLEAN
    CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
#endif
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
