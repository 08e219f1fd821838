/*
 * A forked child closes twice what it inherited.
 * Children tidy up without care on their way to exec: info, and nothing on stderr.
 */
#include "../test.h"

static void child(int fd)
{
    close(fd); /* closed */
    close(fd); /* here */
}

int main(void)
{
    int status, fd = AT(100, open_null()); /* opened */
    pid_t pid = fork();
    if (pid == 0) {
        child(fd);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(close(fd) == 0);
    printf("ok\n");
    return 0;
}
