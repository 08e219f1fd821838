/*
 * A forked child closes a descriptor twice, many times over, and so does a child that the preload follows through exec.
 * The list of suppressions is the child's, too: repeated events count as suppressed, and no process says a word.
 */
#include "../test.h"

static void close_twice(void)
{
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
}

int main(int count, char **arguments)
{
    if (count > 1) {
        close_twice();
        return 0;
    }
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 1000; i++)
            close_twice();
        char *again[] = {arguments[0], "again", NULL};
        execv("/proc/self/exe", again);
        _exit(9);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    printf("ok\n");
    return 0;
}
