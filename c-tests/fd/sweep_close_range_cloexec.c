/*
 * close_range() with CLOSE_RANGE_CLOEXEC closes nothing, it marks.
 * The descriptors are used and closed afterwards: silent.
 */
#include "../sweep.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

int main(void)
{
    int fd = AT(100, open_null());
    CHECK(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(write(fd, "x", 1) == 1);
    CHECK(close(fd) == 0);
    printf("ok\n");
    return 0;
}
