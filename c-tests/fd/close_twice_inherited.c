/*
 * A descriptor that was open when the program began (it comes through exec) is closed twice.
 * C1: both closes are seen; where it was opened is not, and shim says so.
 */
#include "../test.h"

int main(int argc, char **argv)
{
    if (argc == 1) {
        int null = open("/dev/null", O_RDONLY);
        CHECK(dup2(null, 100) == 100);
        close(null);
        execl("/proc/self/exe", argv[0], "again", NULL);
        return 1;
    }
    CHECK(close(100) == 0); /* closed */
#ifndef CLEAN
    CHECK(close(100) == -1 && errno == EBADF); /* here */
#endif
    printf("ok\n");
    return 0;
}
