/*
 * A fork that runs no handlers, by a raw clone, as Chromium's sandbox has it; the parent closes what both have, closes other numbers
 * and opens new ones, before the child has called anything that shim sees.
 * In the child all of it is open, and closing it is right: silent, and no call is refused. What was closed before the fork is closed.
 */
#include "../test.h"

int main(void)
{
    int fds[] = {AT(100, open_null()), AT(101, tcp()), AT(102, open_null()), AT(103, tcp())}, before = AT(110, open_null());
    int go[2], status;
    CHECK(pipe(go) == 0 && close(before) == 0);
    pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0) {
        char byte;
        /* No call of libc's, until the parent is ready. */
        while (syscall(SYS_read, go[0], &byte, 1) != 1)
            ;
        for (int i = 0; i < 4; i++) {
            if (fcntl(fds[i], F_GETFD) == -1)
                _exit(10 + i);
            if (i & 1 && dup2(go[0], fds[i]) != fds[i])
                _exit(20 + i);
            if (close(fds[i]) != 0)
                _exit(30 + i);
        }
        int again = open_null();
        if (fcntl(before, F_GETFD) != -1 || errno != EBADF || again < 0 || close(again) != 0)
            _exit(40);
        _exit(0);
    }
    for (int i = 0; i < 4; i++)
        CHECK(close(fds[i]) == 0);
    int new = AT(102, tcp());
    CHECK(write(go[1], "x", 1) == 1);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(fcntl(new, F_GETFD) != -1 && close(new) == 0);
    CHECK(close(go[0]) == 0 && close(go[1]) == 0);
    printf("ok\n");
    return 0;
}
