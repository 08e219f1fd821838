/*
 * Everything is closed from 3 up to the highest number there can be; then a descriptor is closed twice.
 * The sweep is silent and has not reached what shim needs to speak; the double close after it is reported.
 */
#include "../sweep.h"

int main(void)
{
    prepare_for_sweep();
    for (long fd = 3, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
        close((int)fd);
    CHECK(close_range(3, ~0U, 0) == 0);
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
