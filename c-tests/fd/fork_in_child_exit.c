/*
 * Children that end in each way there is: _exit, exit, quick_exit, return from a grandchild.
 * Silent, the parent goes on.
 */
#include "../test.h"

int main(void)
{
    int status, fd = AT(100, open_null());
    for (int way = 0; way < 4; way++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            close(fd);
            if (way == 0)
                _exit(10);
            if (way == 1)
                exit(11);
            if (way == 2)
                quick_exit(12);
            if (fork() == 0)
                _exit(0);
            wait(NULL);
            return 13;
        }
        CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 10 + way);
    }
    CHECK(close(fd) == 0);
    printf("ok\n");
    return 0;
}
