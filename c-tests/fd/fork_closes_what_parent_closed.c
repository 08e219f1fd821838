/*
 * The parent opens and closes; a child, forked after that, closes the number again.
 * What the parent closed is nothing to the child: info, and nothing on stderr.
 */
#include "../test.h"

static void child(int fd)
{
    close(fd); /* here */
}

int main(void)
{
    int status, fd = AT(100, open_null());
    CHECK(close(fd) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        child(fd);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    printf("ok\n");
    return 0;
}
