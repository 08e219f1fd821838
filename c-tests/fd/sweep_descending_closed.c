/*
 * Close everything downwards, from a number above all that were open; some on the way were open and are closed.
 * Silent: the loop says what it is. (One that starts at a number that was closed reports that first one: see docs/limits.md.)
 */
#include "../sweep.h"

int main(void)
{
    prepare_for_sweep();
    CHECK(close(AT(63, tcp())) == 0);
    for (int fd = 70; fd >= 3; fd--)
        close(fd);
    printf("ok\n");
    return 0;
}
