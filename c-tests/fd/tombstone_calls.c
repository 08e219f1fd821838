/*
 * Calls on a number whose socket was closed. Under protect the number is in quarantine, a tombstone holds it, and each call
 * must answer as it does for a closed number.
 * The answers are printed: they must be those of a run without shim, in observe and under protect. Each is a use after close,
 * except the questions (fstat, F_GETFD, F_GETFL); the close at the end is a double close.
 */
#include "../test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/uio.h>

#define SHOW(call)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long result_ = (long)(call);                                                                                   \
        printf("%s = %ld %s\n", #call, result_, errno ? strerror(errno) : "");                                         \
    } while (0)

int main(void)
{
    char bytes[8] = "x";
    int number = 1, epoll = AT(120, epoll_create1(EPOLL_CLOEXEC));
    socklen_t length = sizeof number;
    struct sockaddr room = {.sa_family = AF_INET}, *address = &room;
    struct iovec vector = {bytes, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    struct stat status;
    struct pollfd polled = {.fd = 100, .events = POLLIN};
    struct timeval now = {0, 0};
    struct epoll_event event = {.events = EPOLLIN};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(100, &set), signal(SIGPIPE, SIG_IGN);
    int fd = AT(100, tcp());   /* opened */
#ifndef CLEAN
    CHECK(close(fd) == 0); /* closed */
#else
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0); /* accept must not wait */
#endif
    SHOW(read(fd, bytes, 1)); /* c0 */
    SHOW(write(fd, "x", 1)); /* c1 */
    SHOW(readv(fd, &vector, 1)); /* c2 */
    SHOW(writev(fd, &vector, 1)); /* c3 */
    SHOW(pread(fd, bytes, 1, 0)); /* c4 */
    SHOW(pwrite(fd, "x", 1, 0)); /* c5 */
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL)); /* c6 */
    SHOW(recv(fd, bytes, 1, MSG_DONTWAIT)); /* c7 */
    SHOW(sendto(fd, "x", 1, MSG_NOSIGNAL, NULL, 0)); /* c8 */
    SHOW(recvfrom(fd, bytes, 1, MSG_DONTWAIT, NULL, NULL)); /* c9 */
    SHOW(sendmsg(fd, &message, MSG_NOSIGNAL)); /* c10 */
    SHOW(recvmsg(fd, &message, MSG_DONTWAIT)); /* c11 */
    SHOW(ioctl(fd, FIONREAD, &number)); /* c12 */
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, &length)); /* c13 */
    SHOW(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &number, length)); /* c14 */
    SHOW(getsockname(fd, address, &length)); /* c15 */
    SHOW(getpeername(fd, address, &length)); /* c16 */
    SHOW(connect(fd, address, sizeof *address)); /* c17 */
    SHOW(bind(fd, address, sizeof *address)); /* c18 */
    SHOW(listen(fd, 1)); /* c19 */
    SHOW(accept(fd, NULL, NULL)); /* c20 */
    SHOW(accept4(fd, NULL, NULL, SOCK_CLOEXEC)); /* c21 */
    SHOW(shutdown(fd, SHUT_WR)); /* c22 */
    SHOW(lseek(fd, 0, SEEK_SET)); /* c23 */
    SHOW(fsync(fd)); /* c24 */
    SHOW(ftruncate(fd, 0)); /* c25 */
    SHOW(fstat(fd, &status));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC)); /* c29 */
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK)); /* c30 */
    SHOW(fcntl(fd, F_DUPFD, 200)); /* c31 */
    SHOW(dup(fd) < 0); /* c32 */
    SHOW(dup2(fd, 201)); /* c33 */
    SHOW(dup3(fd, 202, O_CLOEXEC)); /* c34 */
    SHOW(openat(fd, "x", O_RDONLY)); /* c35 */
    SHOW(poll(&polled, 1, 0)); /* c36 */
    SHOW(select(fd + 1, &set, NULL, NULL, &now)); /* c37 */
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)); /* c38 */
    SHOW(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event)); /* c39 */
    SHOW(polled.revents == POLLNVAL);
    SHOW(close(fd)); /* close */
    close(epoll);
    printf("ok\n");
    return 0;
}
