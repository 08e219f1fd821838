/*
 * 0, 1 and 2 are closed and opened anew, and closed and brought back with dup2.
 * Silent, and what is printed arrives: shim itself relies on none of the three.
 */
#include "../test.h"

int main(void)
{
    int saved[3];
    for (int fd = 0; fd < 3; fd++)
        CHECK((saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100)) >= 100);
    for (int round = 0; round < 3; round++) {
        for (int fd = 0; fd < 3; fd++)
            CHECK(close(fd) == 0);
        for (int fd = 0; fd < 3; fd++)
            CHECK(open("/dev/null", O_RDWR) == fd);
        for (int fd = 0; fd < 3; fd++)
            CHECK(dup2(saved[fd], fd) == fd);
    }
    for (int fd = 0; fd < 3; fd++)
        CHECK(close(saved[fd]) == 0);
    printf("ok\n");
    return 0;
}
