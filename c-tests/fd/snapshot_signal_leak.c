/*
 * A signal asks for a snapshot: the forgotten sockets are told while the program runs, and it runs on.
 * SIGWINCH, because without shim it is ignored.
 */
#include "../test.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static void refused(void)
{
    struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* opened */
    CHECK(fd >= 0);
    CHECK(connect(fd, (struct sockaddr *)&nobody, sizeof nobody) == -1); /* here */
#ifdef CLEAN
    CHECK(close(fd) == 0);
#endif
}

static void pause_for(long ms)
{
    struct timespec left = {0, ms * 1000000};
    while (nanosleep(&left, &left) == -1)
        CHECK(errno == EINTR);
}

int main(void)
{
    for (int i = 0; i < 40; i++)
        refused();
    for (int round = 0; round < 2; round++) {
        CHECK(raise(SIGWINCH) == 0);
        pause_for(200);
    }
    printf("ok\n");
    return 0;
}
