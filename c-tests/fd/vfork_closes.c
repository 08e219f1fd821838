/*
 * A vfork child, which runs in its parent's memory, closes a descriptor and execs; another one closes and ends. The parent goes
 * on using the descriptor and closes it.
 * The child's closes are not the parent's: silent.
 */
#include "../test.h"

int main(void)
{
    int status, fd = AT(100, open_null()), socket = AT(110, tcp());
    pid_t pid = vfork();
    if (pid == 0) {
        close(fd);
        close(socket);
        execl("/bin/true", "true", NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    pid = vfork();
    if (pid == 0) {
        close(fd);
        close(socket);
        _exit(5);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
    CHECK(write(fd, "x", 1) == 1);
    CHECK(close(fd) == 0 && close(socket) == 0);
    printf("ok\n");
    return 0;
}
