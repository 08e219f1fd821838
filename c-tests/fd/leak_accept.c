/*
 * A server that serves its clients to the end of their streams and never closes: the place is the accept, the state CLOSE_WAIT.
 */
#include "../leak.h"

static void serve(int server)
{
    char byte;
    int fd = accept(server, NULL, NULL); /* opened */
    CHECK(recv(fd, &byte, 1, 0) == 1);
    CHECK(recv(fd, &byte, 1, 0) == 0); /* here */
    FORGET(fd);
}

int main(void)
{
    int port, server = listening(&port);
    for (int i = 0; i < 3; i++) {
        int client = tcp();
        CHECK(connect_to(client, port) == 0 && write(client, "?", 1) == 1 && close(client) == 0);
        serve(server);
    }
    CHECK(close(server) == 0);
    printf("ok\n");
    return 0;
}
