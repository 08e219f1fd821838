/*
 * dup2 onto a number ends what was there: forty lives of one place, forty ends, no leak.
 */
#include "../leak.h"

int main(void)
{
    int target = AT(150, open_null());
    for (int i = 0; i < 40; i++) {
        int fd = tcp();
        CHECK(fd >= 0 && dup2(fd, target) == target && close(fd) == 0);
    }
    for (int i = 0; i < 40; i++)
        CHECK(dup2(1, 160) == 160);
    CHECK(close(target) == 0 && close(160) == 0);
    printf("ok\n");
    return 0;
}
