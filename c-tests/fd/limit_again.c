/*
 * Up to 85 % three times: up and down by a few is one rise, down to nothing and up again is another. That a rise is over is
 * seen by a sample, which is taken once in a while. No sockets: under protect, the numbers of closed ones are kept.
 */
#include "../leak.h"
#include <sys/resource.h>

/* Opens until there are `count` in `fds`. */
static int rise(int *fds, int open, int count)
{
    for (; open < count; open++)
        CHECK((fds[open] = open_null()) >= 0); /* opened */
    return open;
}

static void fall(int *fds, int open)
{
    while (open > 0)
        CHECK(close(fds[--open]) == 0);
}

int main(void)
{
    static int fds[200];
    struct rlimit limit = {200, 200};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
#ifdef CLEAN
    for (int i = 0; i < 3; i++)
        fall(fds, rise(fds, 0, 150));
#else
    int open = rise(fds, 0, 170);
    for (; open > 165; open--)
        CHECK(close(fds[open - 1]) == 0);
    open = rise(fds, open, 170);
    fall(fds, open);
    /* Longer than the time between two samples. */
    usleep(300000);
    fall(fds, rise(fds, 0, 10));
    fall(fds, rise(fds, 0, 170));
#endif
    printf("ok\n");
    return 0;
}
