/*
 * A double close in a program that ends with status 3.
 * With error_exitcode=99 the status is 99 when there were errors, otherwise it stays the program's.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 3;
}
