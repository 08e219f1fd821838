/*
 * One refused socket is forgotten, and the program goes on to make another there, which it closes: a suspect. Twice would
 * be an error.
 */
#include "../leak.h"

static int request(int port)
{
    int fd = tcp();                      /* opened */
    CHECK(connect_to(fd, port) == -1); /* here */
    return fd;
}

int main(void)
{
    int port, nobody = bound(&port);
    FORGET(request(port));
    CHECK(close(request(port)) == 0);
    CHECK(close(nobody) == 0);
    printf("ok\n");
    return 0;
}
