/* dup2 of a number onto itself asks whether it is open, of a socket that was closed, too. shim must be silent. */
#include "../test.h"

int main(void)
{
    int fd = AT(50, socket(AF_UNIX, SOCK_DGRAM, 0));
    CHECK(dup2(fd, fd) == fd);
    CHECK(close(fd) == 0);
    errno = 0;
    CHECK(dup2(fd, fd) == -1 && errno == EBADF);
    puts("ok");
    return 0;
}
