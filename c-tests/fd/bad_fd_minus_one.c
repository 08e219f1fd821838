/*
 * read() of -1: an open whose failure nobody looked at.
 * Worth knowing, proves nothing about a lifetime: info, and nothing on stderr.
 */
#include "../test.h"

int main(void)
{
    char byte;
    int fd = open("/does/not/exist", O_RDONLY);
    CHECK(read(fd, &byte, 1) == -1 && errno == EBADF); /* here */
    printf("ok\n");
    return 0;
}
