/*
 * A timeout of 1500000 microseconds: the option is refused with EDOM, and the socket forgotten before it was ever connected.
 */
#include "../leak.h"

static void request(void)
{
    struct timeval patience = {.tv_usec = 1500000};
    int fd = tcp();                                                                       /* opened */
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == -1); /* here */
    CHECK(errno == EDOM);
    FORGET(fd);
}

int main(void)
{
    for (int i = 0; i < 3; i++)
        request();
    printf("ok\n");
    return 0;
}
