/*
 * fstat() of a number that was closed and of one that was never open, to find out whether they are open.
 * That is a question and no use: silent.
 */
#include "../test.h"

int main(void)
{
    struct stat status;
    int fd = AT(100, tcp());
    CHECK(close(fd) == 0);
    CHECK(fstat(fd, &status) == -1 && errno == EBADF);
    CHECK(fstat(101, &status) == -1 && errno == EBADF);
    printf("ok\n");
    return 0;
}
