/*
 * Two FILEs are made of one descriptor; each would close it.
 * C2: the second fdopen() takes a number that has an owner.
 */
#include "../test.h"

int main(void)
{
    int fd = AT(100, open_null()); /* opened */
    FILE *one = fdopen(fd, "r");
    CHECK(one != NULL);
#ifndef CLEAN
    FILE *two = fdopen(fd, "r"); /* here */
    CHECK(two != NULL);
#endif
    printf("ok\n");
    fflush(stdout);
    _exit(0);
}
