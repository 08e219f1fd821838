/*
 * More calls on a number whose socket was closed: the less usual ones, and those that would reach a file through a tombstone
 * (names relative to it, AT_EMPTY_PATH, passing it on).
 * The answers are printed: they must be those of a run without shim, in observe and under protect. Which of them are reported is not
 * tested here.
 */
#include "../test.h"
#include "../pass_fd.h"
#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <termios.h>

#define SHOW(call)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long result_ = (long)(call);                                                                                   \
        printf("%s = %ld %s\n", #call, result_, errno ? strerror(errno) : "");                                         \
    } while (0)

int main(void)
{
    char bytes[64] = "x", *arguments[] = {NULL};
    int null = AT(101, open_null()), pair[2];
    struct stat status;
    struct statx extended;
    struct statfs file_system;
    struct statvfs file_system_v;
    struct termios terminal;
    struct iovec vector = {bytes, 1};
    struct mmsghdr messages = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    struct pollfd polled = {.fd = 100, .events = POLLIN};
    struct timespec moment = {0, 0};
    struct itimerspec timer = {0};
    struct epoll_event event = {.events = EPOLLIN};
    struct pass passing;
    eventfd_t count;
    sigset_t signals;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(100, &set);
    sigemptyset(&signals);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    int fd = AT(100, tcp());   /* opened */
    CHECK(close(fd) == 0);     /* closed */
    prepare_to_send(&passing, fd);
    SHOW(dup2(fd, fd));
    SHOW(fchdir(fd));
    SHOW(fchmod(fd, 0600));
    SHOW(fchown(fd, -1, -1));
    SHOW(futimens(fd, NULL));
    SHOW(fstatfs(fd, &file_system));
    SHOW(fstatvfs(fd, &file_system_v));
    SHOW(fstatat(fd, "", &status, AT_EMPTY_PATH));
    SHOW(fstatat(fd, "x", &status, 0));
    SHOW(statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &extended));
    SHOW(faccessat(fd, "x", F_OK, 0));
    SHOW(fchmodat(fd, "x", 0600, 0));
    SHOW(fchownat(fd, "", -1, -1, AT_EMPTY_PATH));
    SHOW(utimensat(fd, "x", NULL, 0));
    SHOW(readlinkat(fd, "", bytes, 1));
    SHOW(mkdirat(fd, "x", 0700));
    SHOW(mknodat(fd, "x", S_IFREG, 0));
    SHOW(unlinkat(fd, "x", 0));
    SHOW(symlinkat("x", fd, "y"));
    SHOW(linkat(fd, "", AT_FDCWD, "/proc/none", AT_EMPTY_PATH));
    SHOW(renameat(fd, "x", fd, "y"));
    SHOW(fdatasync(fd));
    SHOW(syncfs(fd));
    SHOW(flock(fd, LOCK_UN));
    SHOW(lockf(fd, F_TEST, 1));
    SHOW(fallocate(fd, 0, 0, 1));
    SHOW(posix_fallocate(fd, 0, 1));
    SHOW(posix_fadvise(fd, 0, 1, POSIX_FADV_NORMAL));
    SHOW(readahead(fd, 0, 1));
    SHOW(fgetxattr(fd, "user.x", bytes, 1));
    SHOW(flistxattr(fd, bytes, 1));
    SHOW(sendfile(null, fd, NULL, 1));
    SHOW(sendfile(fd, null, NULL, 1));
    SHOW(splice(fd, NULL, null, NULL, 1, 0));
    SHOW(copy_file_range(fd, NULL, null, NULL, 1, 0));
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    SHOW(isatty(fd));
    SHOW(ttyname_r(fd, bytes, sizeof bytes));
    SHOW(tcgetattr(fd, &terminal));
    SHOW(ppoll(&polled, 1, &moment, NULL));
    SHOW(pselect(fd + 1, &set, NULL, NULL, &moment, NULL));
    SHOW(epoll_wait(fd, &event, 1, 0));
    SHOW(epoll_ctl(fd, EPOLL_CTL_ADD, null, &event));
    SHOW(inotify_add_watch(fd, "/", IN_OPEN));
    SHOW(timerfd_settime(fd, 0, &timer, NULL));
    SHOW(eventfd_read(fd, &count));
    SHOW(signalfd(fd, &signals, 0));
    SHOW(fdopen(fd, "r"));
    SHOW(fdopendir(fd));
    SHOW(fexecve(fd, arguments, arguments));
    SHOW(sendmsg(pair[0], &passing.message, 0));
    SHOW(preadv(fd, &vector, 1, 0));
    SHOW(pwritev(fd, &vector, 1, 0));
    SHOW(sendmmsg(fd, &messages, 1, 0));
    SHOW(recvmmsg(fd, &messages, 1, MSG_DONTWAIT, NULL));
    SHOW(sockatmark(fd));
#if __GLIBC_PREREQ(2, 34)
    SHOW(close_range(fd, fd, 0));
#endif
    SHOW(polled.revents == POLLNVAL);
    close(pair[0]);
    close(pair[1]);
    close(null);
    printf("ok\n");
    return 0;
}
