/*
 * A descriptor that came as SCM_RIGHTS is closed twice.
 * C1: recvmsg() opened it, and is named as the opener.
 */
#include "../test.h"
#include "../pass_fd.h"

static int receive(int from)
{
    struct pass p;
    prepare(&p);
    CHECK(recvmsg(from, &p.message, 0) == 1); /* opened */
    return received(&p);
}

int main(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    int null = open_null();
    struct pass p;
    prepare_to_send(&p, null);
    CHECK(sendmsg(pair[0], &p.message, 0) == 1);
    int fd = receive(pair[1]);
    CHECK(fd > 5 && fd != null);
    CHECK(close(fd) == 0); /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    close(null);
    close(pair[0]);
    close(pair[1]);
    printf("ok\n");
    return 0;
}
