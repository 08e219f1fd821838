/*
 * A vfork child opens and moves descriptors with dup2, as shells do for redirections, and execs.
 * What the child opened is not open in the parent, which is given the same numbers afterwards: silent.
 */
#include "../test.h"

int main(void)
{
    int status, low = open_null();
    pid_t pid = vfork();
    if (pid == 0) {
        int fd = open("/dev/null", O_RDWR);
        dup2(fd, 100);
        close(fd);
        execl("/bin/true", "true", NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(fcntl(100, F_GETFD) == -1 && errno == EBADF);
    int fd = open_null();
    CHECK(fd == low + 1 && dup2(fd, 100) == 100);
    CHECK(close(fd) == 0 && close(100) == 0 && close(low) == 0);
    printf("ok\n");
    return 0;
}
