/*
 * Forty refused sockets lie about until the program tidies up before it ends.
 */
#include "../leak.h"

int main(void)
{
    int port, nobody = bound(&port), fds[40];
    for (int i = 0; i < 40; i++)
        CHECK((fds[i] = tcp()) >= 0 && connect_to(fds[i], port) == -1);
    for (int i = 0; i < 40; i++)
        CHECK(close(fds[i]) == 0);
    CHECK(close(nobody) == 0);
    printf("ok\n");
    return 0;
}
