/*
 * Everything is closed but what is kept, and /dev/null opened where something was, as varnish's children do. One of the
 * numbers was closed before, behind a gap: a loop over all numbers is no mistake. Silent.
 * Then the same over a list of descriptors, one of which was closed before: that is one, and is reported.
 */
#include "../test.h"

#define LIST 12

/* A table: of comparisons the compiler makes several loops. */
static volatile char kept[256] = {[3] = 1, [9] = 1, [15] = 1, [40] = 1};

static void null_at(int target)
{
    int fd = open_null();
    CHECK(dup2(fd, target) == target);
    if (fd != target)
        close(fd);
}

int main(void)
{
    int list[LIST];
    for (int fd = 3; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            close(fd); /* inherited */
    for (int fd = 3; fd < 17; fd++)
        null_at(fd);
    CHECK(close(16) == 0);
    CHECK(close(AT(41, open_null())) == 0);
    CHECK(close(4) == 0);
    for (int fd = 5; fd < 256; fd++) /* 16 and 41 are closed */
        if (!kept[fd] && close(fd) == 0)
            null_at(fd);

    for (int i = 0; i < LIST; i++)
        list[i] = AT(100 + 2 * i, open_null()); /* opened */
#ifndef CLEAN
    close(list[7]); /* closed */
#endif
    for (int i = 0; i < LIST; i++)
        close(list[i]); /* here */
    CHECK(close(AT(300, open_null())) == 0);
    printf("ok\n");
    return 0;
}
