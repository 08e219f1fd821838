/*
 * A destructor of the program, which runs after main and after the atexit functions, closes what main has closed.
 * C1: the program is watched until the very end.
 */
#include "../test.h"

static int fd;

__attribute__((destructor)) static void at_end(void)
{
#ifndef CLEAN
    close(fd); /* here */
#endif
}

int main(void)
{
    fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);     /* closed */
    printf("ok\n");
    return 0;
}
