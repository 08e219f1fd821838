/*
 * The server closes without an answer: recv() returns 0, and the client never closes its end, which stays in CLOSE_WAIT.
 */
#include "../leak.h"

static void request(int server, int port)
{
    char byte;
    int fd = tcp(); /* opened */
    CHECK(connect_to(fd, port) == 0);
    CHECK(close(accept(server, NULL, NULL)) == 0);
    CHECK(recv(fd, &byte, 1, 0) == 0); /* here */
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
