/*
 * A closed number is brought back by dup2, dup3, F_DUPFD and a plain open, and closed again, many times, files and sockets.
 * Each close has an opening of its own, also under protect, where dup2 lands on a number in quarantine: silent.
 */
#include "../test.h"

int main(void)
{
    int null = AT(200, open_null()), socket = AT(201, tcp());
    for (int i = 0; i < 100; i++) {
        CHECK(dup2(i % 2 ? null : socket, 100) == 100 && close(100) == 0);
        CHECK(dup3(i % 2 ? socket : null, 100, O_CLOEXEC) == 100 && close(100) == 0);
        int fd = fcntl(i % 2 ? null : socket, F_DUPFD, 150);
        CHECK(fd >= 150 && close(fd) == 0);
        fd = open_null();
        CHECK(fd >= 0 && close(fd) == 0);
        fd = tcp();
        CHECK(fd >= 0 && close(fd) == 0);
    }
    CHECK(close(null) == 0 && close(socket) == 0);
    printf("ok\n");
    return 0;
}
