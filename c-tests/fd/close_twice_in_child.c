/*
 * A forked child opens a descriptor of its own and closes it twice.
 * C1: only what the child inherited is excused.
 */
#include "../test.h"

static void child(void)
{
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
}

int main(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    printf("ok\n");
    return 0;
}
