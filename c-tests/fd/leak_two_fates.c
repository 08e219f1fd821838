/*
 * One line, two ways: recv() times out on three servers that keep silent, and finds the end on three that close. That is two
 * findings, three descriptors each, although their stacks are the same.
 */
#include "../leak.h"

static void request(int server, int port, int silent)
{
    char byte;
    struct timeval patience = {.tv_usec = 20000};
    int fd = tcp(); /* opened */
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    CHECK(connect_to(fd, port) == 0);
    int peer = accept(server, NULL, NULL);
    if (!silent)
        CHECK(close(peer) == 0);
    CHECK(recv(fd, &byte, 1, 0) == (silent ? -1 : 0)); /* here */
    FORGET(fd);
    if (silent)
        CHECK(close(peer) == 0);
}

int main(void)
{
    int port, server = listening(&port);
    for (int i = 0; i < 6; i++)
        request(server, port, i < 3);
    CHECK(close(server) == 0);
    printf("ok\n");
    return 0;
}
