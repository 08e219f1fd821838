/*
 * Both closes are made with syscall(SYS_close), as libuv makes them.
 * C1: syscall() is a call into libc and is decoded.
 */
#include "../test.h"
#include <sys/syscall.h>

int main(void)
{
    int fd = AT(100, open_null());          /* opened */
    CHECK(syscall(SYS_close, fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(syscall(SYS_close, fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
