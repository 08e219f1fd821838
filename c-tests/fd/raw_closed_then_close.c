/*
 * A descriptor is closed by a raw system call, and then with close().
 * The kernel says that it is not open, the record knows of no close: it may be a double close, and nobody saw the first.
 * Nothing is proved, nobody is accused: silent.
 */
#include "../test.h"
#include "../raw_syscall.h"

int main(void)
{
    int fd = AT(100, open_null());
    CHECK(raw_close(fd) == 0);
    CHECK(close(fd) == -1 && errno == EBADF);
    printf("ok\n");
    return 0;
}
