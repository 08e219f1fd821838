/*
 * poll() on a number that the program has closed.
 * The record says by whom it was closed and the kernel agrees that it is closed: use after close.
 */
#include "../test.h"
#include <poll.h>

int main(void)
{
    struct pollfd one = {.fd = 100, .events = POLLIN};
    int fd = AT(100, open("/dev/zero", O_RDONLY)); /* opened */
#ifdef CLEAN
    CHECK(poll(&one, 1, 0) == 1 && one.revents == POLLIN);
#endif
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(poll(&one, 1, 0) == 1 && one.revents == POLLNVAL); /* here */
#endif
    printf("ok\n");
    return 0;
}
