/*
 * Every call that makes a descriptor, closed once each, twice round so that the numbers come back.
 * Silent; and twice round, because a call that shim does not know shows only when its number returns.
 */
#include "../test.h"
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#define CLOSED(call)                                                                                                   \
    do {                                                                                                               \
        int fd_ = (call);                                                                                              \
        CHECK(fd_ >= 0 && close(fd_) == 0);                                                                            \
    } while (0)

static int temporary(void)
{
    char name[] = "/tmp/shim-test-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    return fd;
}

static int temporary_with_suffix(void)
{
    char name[] = "/tmp/shim-test-XXXXXX.txt";
    int fd = mkostemps(name, 4, O_CLOEXEC);
    unlink(name);
    return fd;
}

static int shared_memory(void)
{
    char name[64];
    snprintf(name, sizeof name, "/shim-test-%d", (int)getpid());
    int fd = shm_open(name, O_RDWR | O_CREAT, 0600);
    shm_unlink(name);
    return fd;
}

int main(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    for (int round = 0; round < 2; round++) {
        int fds[2];
        CLOSED(open("/dev/null", O_RDONLY));
        CLOSED(open("/tmp", O_RDWR | O_TMPFILE, 0600));
        CLOSED(openat(AT_FDCWD, "/dev/null", O_RDONLY));
        CLOSED(creat("/dev/null", 0600));
        CLOSED(dup(1));
        CLOSED(fcntl(1, F_DUPFD, 50));
        CLOSED(fcntl(1, F_DUPFD_CLOEXEC, 50));
        CLOSED(socket(AF_UNIX, SOCK_DGRAM, 0));
        CLOSED(epoll_create(1));
        CLOSED(epoll_create1(EPOLL_CLOEXEC));
        CLOSED(eventfd(0, 0));
        CLOSED(timerfd_create(CLOCK_MONOTONIC, 0));
        CLOSED(signalfd(-1, &signals, 0));
        CLOSED(inotify_init());
        CLOSED(inotify_init1(IN_CLOEXEC));
        CLOSED(memfd_create("shim-test", MFD_CLOEXEC));
        CLOSED(posix_openpt(O_RDWR | O_NOCTTY));
        CLOSED(temporary());
        CLOSED(temporary_with_suffix());
        CLOSED(shared_memory());
        CLOSED((int)syscall(SYS_dup, 1));
        CLOSED((int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY));
        CHECK(pipe(fds) == 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
        CHECK(pipe2(fds, O_CLOEXEC) == 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
        CHECK(openpty(&fds[0], &fds[1], NULL, NULL, NULL) == 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
    }
    printf("ok\n");
    return 0;
}
