/*
 * quick_exit() with a function that closes.
 * No destructor runs after it: silent, and the status comes through.
 */
#include "../test.h"

static int fd;

static void at_quick_exit_close(void)
{
    CHECK(close(fd) == 0);
}

int main(void)
{
    at_quick_exit(at_quick_exit_close);
    fd = AT(100, tcp());
    printf("ok\n");
    fflush(stdout);
    quick_exit(0);
}
