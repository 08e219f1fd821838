/*
 * Twenty sockets from one place, of which nothing is ever asked: suspect, because nothing says that they will never be.
 */
#include "../leak.h"

static void once(void)
{
    int fd = tcp(); /* opened */
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
