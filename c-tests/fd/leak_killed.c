/*
 * A program that SIGKILL ends cannot say what it forgot; its recording does.
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
    kill(getpid(), SIGKILL);
    return 1;
}
