/*
 * write() to a number that was never open.
 * Nothing is known about it: info, and nothing on stderr.
 */
#include "../test.h"

int main(void)
{
    CHECK(write(100, "x", 1) == -1 && errno == EBADF); /* here */
    printf("ok\n");
    return 0;
}
