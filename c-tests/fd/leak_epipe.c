/*
 * The server has gone: the first write is answered by a reset, the second fails with EPIPE, and the socket is forgotten.
 */
#include "../leak.h"

static void request(int server, int port)
{
    int fd = tcp(); /* opened */
    CHECK(connect_to(fd, port) == 0);
    CHECK(close(accept(server, NULL, NULL)) == 0);
    CHECK(write(fd, "a", 1) == 1);
    CHECK(write(fd, "b", 1) == -1); /* here */
    CHECK(errno == EPIPE);
    FORGET(fd);
}

int main(void)
{
    int port, server = listening(&port);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 3; i++)
        request(server, port);
    CHECK(close(server) == 0);
    printf("ok\n");
    return 0;
}
