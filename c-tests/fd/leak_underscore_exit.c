/*
 * A program that ends by _exit(): what it forgot is told all the same.
 */
#include "../leak.h"

static void request(int port)
{
    int fd = tcp();                      /* opened */
    CHECK(connect_to(fd, port) == -1); /* here */
    FORGET(fd);
}

int main(void)
{
    int port, nobody = bound(&port);
    for (int i = 0; i < 3; i++)
        request(port);
    CHECK(close(nobody) == 0);
    printf("ok\n");
    fflush(stdout);
    _exit(0);
}
