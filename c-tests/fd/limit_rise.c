/*
 * 200 descriptors are allowed, and all are taken: told at 80 %, at 95 % and when a call gets EMFILE, each once.
 */
#include "../leak.h"
#include <sys/resource.h>

/* Opens until there are `count` in `fds`, or no more are to be had. All at one place: how many it gets is the environment's. */
static int rise(int *fds, int open, int count)
{
    while (open < count && (fds[open] = tcp()) >= 0) /* opened */
        open++;
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
    int open = rise(fds, 0, 150);
#else
    int open = rise(fds, 0, sizeof fds / sizeof *fds);
    CHECK(open > 190 && errno == EMFILE && tcp() == -1 && tcp() == -1);
#endif
    fall(fds, open);
    printf("ok\n");
    return 0;
}
