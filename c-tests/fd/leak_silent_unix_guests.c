/* A server with forty guests on a unix socket, all connected and idle when it ends. The guests are another process. */
#include "../leak.h"
#include <stddef.h>
#include <sys/un.h>

int main(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + snprintf(address.sun_path + 1, 64, "shim-guests-%d", getpid());
    int server = socket(AF_UNIX, SOCK_STREAM, 0), ready[2];
    CHECK(bind(server, (struct sockaddr *)&address, size) == 0 && listen(server, 64) == 0 && pipe(ready) == 0);
    pid_t guests = fork();
    if (guests == 0) {
        alarm(20);
        for (int i = 0; i < 40; i++) {
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);
            CHECK(connect(fd, (struct sockaddr *)&address, size) == 0 && write(fd, "hello", 5) == 5);
        }
        close(ready[1]);
        pause();
        _exit(0);
    }
    char text[5];
    for (int i = 0; i < 40; i++) {
        int fd = accept(server, NULL, NULL);
        CHECK(recv(fd, text, 5, MSG_WAITALL) == 5 && send(fd, "welcome", 7, 0) == 7);
    }
    CHECK(close(ready[1]) == 0 && read(ready[0], text, 1) == 0);
    CHECK(kill(guests, SIGKILL) == 0);
    printf("ok\n");
    return 0;
}
