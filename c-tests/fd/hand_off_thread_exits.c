/*
 * Threads open and end; main closes what they left. Then threads that use what main opened and end without closing.
 * The opener is gone, and its thread id may be another's by now: silent.
 */
#include "../test.h"

static void *opens(void *fd)
{
    *(int *)fd = open("/dev/null", O_RDWR);
    return NULL;
}

static void *uses(void *fd)
{
    CHECK(write(*(int *)fd, "x", 1) == 1);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < 50; i++) {
        int fd = -1;
        IN_THREAD(opens, &fd);
        CHECK(close(fd) == 0);
        fd = open_null();
        IN_THREAD(uses, &fd);
        CHECK(close(fd) == 0);
    }
    printf("ok\n");
    return 0;
}
