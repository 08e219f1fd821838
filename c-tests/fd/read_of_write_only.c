/*
 * read() of a descriptor that is open for writing only gives EBADF too, and so does write() of one open for reading.
 * That is no matter of lifetime, the kernel says that the number is open: silent.
 */
#include "../test.h"

int main(void)
{
    char byte;
    int out = AT(100, open("/dev/null", O_WRONLY));
    int in = AT(102, open("/dev/null", O_RDONLY));
    CHECK(read(out, &byte, 1) == -1 && errno == EBADF);
    CHECK(write(in, "x", 1) == -1 && errno == EBADF);
    close(out);
    close(in);
    printf("ok\n");
    return 0;
}
