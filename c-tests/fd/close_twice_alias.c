/*
 * The second close goes through __close, an exported alias of close.
 * C1: both names are watched.
 */
#include "../test.h"

extern int __close(int fd);

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
    CHECK(__close(AT(101, open_null())) == 0);
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(__close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
