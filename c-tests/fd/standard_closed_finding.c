/*
 * 2 is closed and opened anew as something else, a log file of the program's; then a descriptor is closed twice.
 * The finding is written to where stderr was when the program began, and never into the file that has become 2.
 */
#include "../test.h"

int main(void)
{
    char name[] = "/tmp/shim-test-XXXXXX";
    struct stat status;
    CHECK(close(2) == 0);
    CHECK(mkstemp(name) == 2);
    unlink(name);
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    CHECK(fstat(2, &status) == 0 && status.st_size == 0);
    printf("ok\n");
    return 0;
}
