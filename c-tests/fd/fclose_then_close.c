/*
 * fclose() ends the FILE and its descriptor; the program closes the number once more.
 * C1: a close inside libc counts as a close.
 */
#include "../test.h"

int main(void)
{
    int low = open_null();
    FILE *file = fopen("/dev/null", "r"); /* opened */
    CHECK(file != NULL);
    int fd = fileno(file);
    CHECK(fclose(file) == 0); /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    (void)fd;
    close(low);
    printf("ok\n");
    return 0;
}
