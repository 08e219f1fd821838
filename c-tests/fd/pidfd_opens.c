/*
 * pidfd_open() by syscall(), as programs must on older C libraries, and a close of it.
 * Silent.
 */
#include "../test.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int main(void)
{
    for (int i = 0; i < 2; i++) {
        int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        CHECK(fd >= 0 || errno == ENOSYS || errno == EPERM);
        if (fd >= 0)
            CHECK(close(fd) == 0);
    }
    printf("ok\n");
    return 0;
}
