/*
 * close() of a number that was never open.
 * EBADF as always. There was no first close, so it is no double close: info, and nothing on stderr.
 */
#include "../test.h"

int main(void)
{
    CHECK(close(100) == -1 && errno == EBADF); /* here */
    printf("ok\n");
    return 0;
}
