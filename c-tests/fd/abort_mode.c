/*
 * fd=abort: the first error ends the program with SIGABRT, once the report is out.
 * What was printed before is on stdout, what would have come after is not.
 */
#include "../test.h"

int main(void)
{
    printf("before\n");
    fflush(stdout);
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
