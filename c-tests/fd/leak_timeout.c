/*
 * The server keeps silent: recv() ends after SO_RCVTIMEO, and the socket, still connected, is forgotten.
 */
#include "../leak.h"

static void request(int port)
{
    char byte;
    struct timeval patience = {.tv_usec = 20000};
    int fd = tcp(); /* opened */
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    CHECK(connect_to(fd, port) == 0);
    CHECK(recv(fd, &byte, 1, 0) == -1); /* here */
    CHECK(errno == EAGAIN);
    FORGET(fd);
}

int main(void)
{
    int port, server = listening(&port);
    for (int i = 0; i < 3; i++)
        request(port);
    CHECK(close(server) == 0);
    printf("ok\n");
    return 0;
}
