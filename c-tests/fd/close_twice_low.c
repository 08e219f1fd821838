/*
 * Descriptor 3 is closed twice, and then the program ends.
 * C1. A close of 3 may be the start of a close-everything loop, so the finding may wait, but it must be out by the end.
 */
#include "../test.h"

int main(void)
{
    int fd = open("/dev/null", O_RDONLY); /* opened */
    CHECK(fd == 3);
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
