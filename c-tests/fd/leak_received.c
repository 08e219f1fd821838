/*
 * Twenty descriptors that came by SCM_RIGHTS, never used and never closed: the place is the recvmsg.
 */
#include "../leak.h"
#include "../pass_fd.h"

int main(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    for (int i = 0; i < 20; i++) {
        struct pass p;
        prepare_to_send(&p, 0);
        CHECK(sendmsg(pair[0], &p.message, 0) == 1);
        prepare(&p);
        CHECK(recvmsg(pair[1], &p.message, MSG_CMSG_CLOEXEC) == 1); /* opened */
        FORGET(received(&p));
    }
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    printf("ok\n");
    return 0;
}
