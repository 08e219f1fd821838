/*
 * close_range(3, ~0U): everything from 3 up in one call. Then the numbers are used again.
 * A bulk close: silent, and the record knows that they are closed.
 */
#include "../sweep.h"

int main(void)
{
    prepare_for_sweep();
    CHECK(close_range(3, ~0U, 0) == 0);
    for (int i = 0; i < 20; i++) {
        int fd = open_null();
        CHECK(fd == 3 && close(fd) == 0);
    }
    printf("ok\n");
    return 0;
}
