/*
 * fcntl(F_GETFD) and fcntl(F_GETFL) of a number that was closed and of one that was never open.
 * That is a question and no use: silent.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, tcp());
    CHECK(close(fd) == 0);
    CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    CHECK(fcntl(fd, F_GETFL) == -1 && errno == EBADF);
    CHECK(fcntl(101, F_GETFD) == -1 && errno == EBADF);
    CHECK(fcntl(101, F_GETFL) == -1 && errno == EBADF);
    printf("ok\n");
    return 0;
}
