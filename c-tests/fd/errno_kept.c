/*
 * Calls that succeed leave errno as it was; calls that fail set what they always set.
 * errno is 42 before and after each.
 */
#include "../test.h"
#include <dirent.h>

#define KEPT(call)                                                                                                     \
    do {                                                                                                               \
        errno = 42;                                                                                                    \
        CHECK(call);                                                                                                   \
        CHECK(errno == 42);                                                                                            \
    } while (0)

int main(void)
{
    int fd, socket, fds[2];
    char byte = 'x';
    KEPT((fd = open("/dev/null", O_RDWR)) >= 0);
    KEPT((socket = tcp()) >= 0);
    KEPT(pipe(fds) == 0);
    KEPT(dup2(fd, 100) == 100);
    KEPT(write(fds[1], &byte, 1) == 1);
    KEPT(read(fds[0], &byte, 1) == 1);
    KEPT(fcntl(fd, F_GETFD) == 0);
    KEPT(close(100) == 0);
    KEPT(close(fds[0]) == 0 && close(fds[1]) == 0);
    KEPT(close(socket) == 0);
    KEPT(close(fd) == 0);
    FILE *file = fopen("/dev/null", "r");
    KEPT(fclose(file) == 0);
    DIR *dir = opendir("/");
    KEPT(closedir(dir) == 0);
    CHECK(open("/does/not/exist", O_RDONLY) == -1 && errno == ENOENT);
    CHECK(socketpair(AF_INET, SOCK_STREAM, 0, fds) == -1 && errno == EOPNOTSUPP);
    printf("ok\n");
    return 0;
}
