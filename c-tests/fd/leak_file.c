/*
 * One file, opened and read twenty times, never closed: suspect.
 */
#include "../leak.h"

static void once(void)
{
    char bytes[8];
    int fd = open("/proc/version", O_RDONLY);        /* opened */
    CHECK(read(fd, bytes, sizeof bytes) == sizeof bytes); /* here */
    FORGET(fd);
}

int main(void)
{
    for (int i = 0; i < 20; i++)
        once();
    printf("ok\n");
    return 0;
}
