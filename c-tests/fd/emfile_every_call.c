/*
 * All numbers but two are taken; those two were sockets and are closed. Then each call that makes descriptors is made.
 * None of them may fail: under protect the quarantine gives way to each of them.
 */
#include "../test.h"
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static void free_two(void)
{
    int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(a >= 0 && b >= 0 && close(a) == 0 && close(b) == 0);
}

#define ONE(call)                                                                                                      \
    do {                                                                                                               \
        free_two();                                                                                                    \
        int fd_ = (call);                                                                                              \
        CHECK(fd_ >= 0 && close(fd_) == 0);                                                                            \
    } while (0)

int main(void)
{
    struct rlimit limit = {64, 64};
    int pair[2], null = open_null();
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int fd = 3; fd < 62; fd++)
        CHECK(fcntl(fd, F_GETFD) != -1 || dup2(null, fd) == fd);
    ONE(open("/dev/null", O_RDONLY));
    ONE(openat(AT_FDCWD, "/dev/null", O_RDONLY));
    ONE(creat("/dev/null", 0600));
    ONE(dup(null));
    ONE(fcntl(null, F_DUPFD, 0));
    ONE(socket(AF_UNIX, SOCK_DGRAM, 0));
    ONE(epoll_create1(0));
    ONE(eventfd(0, 0));
    free_two();
    CHECK(pipe(pair) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
    free_two();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
    free_two();
    FILE *file = fopen("/dev/null", "r");
    CHECK(file != NULL && fclose(file) == 0);
    free_two();
    DIR *dir = opendir("/");
    CHECK(dir != NULL && closedir(dir) == 0);
    for (int fd = 3; fd < 62; fd++)
        close(fd);
    printf("ok\n");
    return 0;
}
