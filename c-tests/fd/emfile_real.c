/*
 * A program that really opens too many is told EMFILE at the very same descriptor as without shim, and recovers.
 * Silent about lifetimes: nothing is closed twice.
 */
#include "../test.h"
#include <sys/resource.h>

int main(void)
{
    struct rlimit limit = {64, 64};
    int fds[80], n = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int round = 0; round < 3; round++) {
        for (n = 0; n < 80 && (fds[n] = tcp()) >= 0; n++)
            ;
        CHECK(errno == EMFILE);
        printf("opened %d\n", n);
        while (n-- > 0)
            CHECK(close(fds[n]) == 0);
    }
    printf("ok\n");
    return 0;
}
