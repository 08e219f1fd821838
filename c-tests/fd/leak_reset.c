/*
 * The server resets the connection before it has answered: recv() fails with ECONNRESET, and the socket is forgotten.
 */
#include "../leak.h"

static void request(int server, int port)
{
    char byte;
    int fd = tcp(); /* opened */
    CHECK(connect_to(fd, port) == 0);
    reset(accept(server, NULL, NULL));
    CHECK(recv(fd, &byte, 1, 0) == -1); /* here */
    CHECK(errno == ECONNRESET);
    FORGET(fd);
}

int main(void)
{
    int port, server = listening(&port);
    for (int i = 0; i < 3; i++)
        request(server, port);
    CHECK(close(server) == 0);
    printf("ok\n");
    return 0;
}
