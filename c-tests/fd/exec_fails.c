/*
 * An exec that fails: the program goes on, with all its descriptors, the CLOEXEC ones too.
 * Silent.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null()), other = dup3(fd, 101, O_CLOEXEC);
    CHECK(execl("/does/not/exist", "x", NULL) == -1 && errno == ENOENT);
    CHECK(write(fd, "x", 1) == 1 && write(other, "x", 1) == 1);
    CHECK(close(fd) == 0 && close(other) == 0);
    printf("ok\n");
    return 0;
}
