/*
 * close(0), and the next open gets 0: files and sockets, 0 to 2, and files above.
 * Programs rely on that, so quarantine leaves it alone: silent, also under protect.
 */
#include "../test.h"

int main(void)
{
    int saved = fcntl(1, F_DUPFD, 100);
    CHECK(close(0) == 0 && open("/dev/null", O_RDONLY) == 0);
    CHECK(close(0) == 0 && tcp() == 0);
    CHECK(close(0) == 0 && tcp() == 0);
    CHECK(close(0) == 0 && open("/dev/null", O_RDONLY) == 0);
    CHECK(close(1) == 0 && tcp() == 1);
    CHECK(close(1) == 0 && dup(0) == 1);
    int file = open_null();
    CHECK(close(file) == 0 && open_null() == file);
    CHECK(close(file) == 0);
    CHECK(dup2(saved, 1) == 1 && close(saved) == 0);
    printf("ok\n");
    return 0;
}
