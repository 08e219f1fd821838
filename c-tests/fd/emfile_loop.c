/*
 * With room for 64 descriptors a program opens and closes sockets, two thousand of them, up to fifty at a time.
 * It never has too many open, so it must never be told so: under protect the quarantine gives way.
 */
#include "../test.h"
#include <sys/resource.h>

int main(void)
{
    struct rlimit limit = {64, 64};
    int fds[50];
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 0; i < 2000; i++) {
        int fd = tcp();
        CHECK(fd >= 0 && close(fd) == 0);
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++)
            CHECK((fds[i] = tcp()) >= 0);
        for (int i = 0; i < 50; i++)
            CHECK(close(fds[i]) == 0);
    }
    /* Every call that makes a descriptor, after a round of closes. */
    CHECK(pipe(fds) == 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && close(fds[0]) == 0 && close(fds[1]) == 0);
    FILE *file = fopen("/dev/null", "r");
    CHECK(file != NULL && fclose(file) == 0);
    printf("ok\n");
    return 0;
}
