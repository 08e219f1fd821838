/*
 * fork and exec, five deep, each generation with a descriptor of its own and one from its parent.
 * Each process closes what it has, once: silent in all of them.
 */
#include "../test.h"

int main(int argc, char **argv)
{
    int depth = argc > 1 ? atoi(argv[1]) : 0, status = 0;
    if (depth > 0)
        CHECK(close(100 + depth - 1) == 0);
    int fd = dup2(STDIN_FILENO, 100 + depth);
    if (depth < 5) {
        char next[16];
        snprintf(next, sizeof next, "%d", depth + 1);
        pid_t pid = fork();
        if (pid == 0) {
            execl("/proc/self/exe", argv[0], next, NULL);
            _exit(127);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
    }
    CHECK(close(fd) == 0);
    if (depth == 0)
        printf("ok\n");
    return status != 0;
}
