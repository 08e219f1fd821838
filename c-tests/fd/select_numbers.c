/*
 * A program that calls select keeps its numbers below FD_SETSIZE as long as it has few open: what a quarantine takes away
 * must not drive them beyond what an fd_set holds, where FD_SET writes into whatever comes after it.
 */
#include "../test.h"
#include <sys/resource.h>
#include <sys/select.h>

int main(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 0; i < 20000; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(fd >= 0 && fd < FD_SETSIZE);
        fd_set set;
        struct timeval now = { 0, 0 };
        FD_ZERO(&set);
        FD_SET(fd, &set);
        CHECK(select(fd + 1, &set, NULL, NULL, &now) >= 0);
        CHECK(close(fd) == 0);
    }
    puts("ok");
    return 0;
}
