/*
 * A client whose server is down: connect() is refused, and the way out for that has no close.
 * shim names the connect, the socket that it was for, and how many.
 */
#include "../leak.h"

static void request(int port)
{
    int fd = tcp();                      /* opened */
    CHECK(connect_to(fd, port) == -1); /* here */
    CHECK(errno == ECONNREFUSED);
    FORGET(fd);
}

int main(void)
{
    int port, nobody = bound(&port);
    for (int i = 0; i < 3; i++)
        request(port);
    CHECK(close(nobody) == 0);
    printf("ok\n");
    return 0;
}
