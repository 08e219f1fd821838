/*
 * A connect that does not block: refused, as getsockopt(SO_ERROR) tells later, and the way out for that has no close.
 */
#include "../leak.h"
#include <poll.h>

static void request(int port)
{
    int error = 0;
    socklen_t size = sizeof error;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); /* opened */
    if (connect_to(fd, port) == -1)
        CHECK(errno == EINPROGRESS || errno == ECONNREFUSED);
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    CHECK(poll(&wait, 1, 5000) == 1);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0); /* here */
    CHECK(error == ECONNREFUSED);
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
