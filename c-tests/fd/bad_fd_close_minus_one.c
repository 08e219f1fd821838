/*
 * close(-1), the habit of cleaning up what was never opened.
 * EBADF as always; info, and nothing on stderr.
 */
#include "../test.h"

int main(void)
{
    errno = 42;
    CHECK(close(-1) == -1 && errno == EBADF); /* here */
    printf("ok\n");
    return 0;
}
