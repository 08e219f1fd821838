/*
 * Close everything, from the highest number down to 3.
 * Silent, although the first closes of the loop look like closes of numbers that were never open.
 */
#include "../sweep.h"

int main(void)
{
    prepare_for_sweep();
    for (int fd = 255; fd >= 3; fd--)
        close(fd);
    CHECK(open("/dev/null", O_RDWR) == 3);
    printf("ok\n");
    return 0;
}
