/*
 * Descriptors that were opened by raw system calls are closed with close(): new numbers, and one that was closed before.
 * The opener cannot be seen, the kernel says open: silent.
 */
#include "../test.h"
#include "../raw_syscall.h"

int main(void)
{
    int fd = (int)raw_open_null();
    CHECK(fd >= 0 && close(fd) == 0);
    CHECK(raw_dup3(1, 100) == 100 && close(100) == 0);
    int file = AT(101, open_null());
    CHECK(close(file) == 0);
    CHECK(raw_dup3(1, file) == file);
    CHECK(close(file) == 0);
    printf("ok\n");
    return 0;
}
