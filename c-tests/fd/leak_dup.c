/*
 * Twenty copies of one descriptor, never closed.
 */
#include "../leak.h"

static void once(void)
{
    int fd = dup(1); /* opened */
    CHECK(fd >= 0);
    FORGET(fd);
}

int main(void)
{
    for (int i = 0; i < 20; i++)
        once();
    printf("ok\n");
    return 0;
}
