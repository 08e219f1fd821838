/*
 * A forked child closes what it inherited, sockets and files; then the parent closes its own.
 * Each process closes once: silent.
 */
#include "../test.h"

int main(void)
{
    int status, file = AT(100, open_null()), socket = AT(110, tcp());
    pid_t pid = fork();
    if (pid == 0) {
        int result = close(file) | close(socket);
        _exit(result != 0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(close(file) == 0 && close(socket) == 0);
    printf("ok\n");
    return 0;
}
