/*
 * close_range ends all that it covers.
 */
#include "../leak.h"
#include <sys/syscall.h>

int main(void)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++)
            CHECK(tcp() >= 3);
        CHECK(close_range(3, 100, 0) == 0);
    }
    printf("ok\n");
    return 0;
}
