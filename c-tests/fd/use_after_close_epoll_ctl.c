/*
 * epoll_ctl() is asked to forget a socket that the program has closed: the classic wrong order.
 * EBADF of epoll_ctl may mean either descriptor; the kernel is asked which. Use after close of the socket.
 */
#include "../test.h"
#include <sys/epoll.h>

int main(void)
{
    int epoll = AT(120, epoll_create1(EPOLL_CLOEXEC));
    int fd = AT(100, tcp()); /* opened */
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
#ifdef CLEAN
    CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0);
#endif
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == -1 && errno == EBADF); /* here */
#endif
    close(epoll);
    printf("ok\n");
    return 0;
}
