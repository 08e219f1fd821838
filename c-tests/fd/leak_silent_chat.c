/*
 * A chat server with a hundred guests that say nothing, all connected when it ends. The guests are another process.
 */
#include "../leak.h"

int main(void)
{
    int port, server = listening(&port), ready[2];
    CHECK(pipe(ready) == 0);
    pid_t guests = fork();
    if (guests == 0) {
        alarm(20);
        for (int i = 0; i < 100; i++) {
            int fd = tcp();
            CHECK(fd >= 0 && connect_to(fd, port) == 0 && write(fd, "hello", 5) == 5);
        }
        close(ready[1]);
        pause();
        _exit(0);
    }
    char text[5];
    for (int i = 0; i < 100; i++) {
        int fd = accept(server, NULL, NULL);
        CHECK(recv(fd, text, 5, MSG_WAITALL) == 5 && send(fd, "welcome", 7, 0) == 7);
    }
    CHECK(close(ready[1]) == 0 && read(ready[0], text, 1) == 0);
    CHECK(kill(guests, SIGKILL) == 0);
    printf("ok\n");
    return 0;
}
