/*
 * A descriptor is passed as SCM_RIGHTS, used and closed; three times, so that the number comes back.
 * recvmsg() opened it: silent.
 */
#include "../test.h"
#include "../pass_fd.h"

int main(void)
{
    int pair[2], null = open_null();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    for (int i = 0; i < 3; i++) {
        struct pass p;
        prepare_to_send(&p, null);
        CHECK(sendmsg(pair[0], &p.message, 0) == 1);
        prepare(&p);
        CHECK(recvmsg(pair[1], &p.message, MSG_CMSG_CLOEXEC) == 1);
        int fd = received(&p);
        CHECK(write(fd, "x", 1) == 1 && close(fd) == 0);
    }
    close(null);
    close(pair[0]);
    close(pair[1]);
    printf("ok\n");
    return 0;
}
