/*
 * What the parent does after the fork is none of the child's business: it closes its copy of a pipe, gets the number
 * again for a socket and closes that, which under protect leaves a tombstone, in the parent. The child's copy of the pipe
 * is as good as ever. So is its right to close it, and the other numbers that the parent has meanwhile closed.
 */
#include "../test.h"

int main(void)
{
    int go[2], pipes[2], other[2];
    char byte;
    int status;

    CHECK(pipe(go) == 0 && pipe(pipes) == 0 && pipe(other) == 0);
    AT(700, open_null()); /* in another page of whatever is kept about numbers */
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(close(go[1]) == 0);
        CHECK(read(go[0], &byte, 1) == 0); /* the parent is done */
        int copy = dup(pipes[0]);
        CHECK(copy >= 0);
        CHECK(fcntl(pipes[0], F_GETFD) >= 0 && fcntl(700, F_GETFD) >= 0);
        CHECK(close(copy) == 0);
        CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0 && close(other[0]) == 0 && close(700) == 0);
        _exit(7);
    }
    CHECK(close(pipes[0]) == 0);
    int socket_there = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(socket_there == pipes[0]);
    CHECK(close(socket_there) == 0);
    CHECK(close(other[0]) == 0 && close(700) == 0);
    CHECK(dup2(other[1], 700) == 700 && close(700) == 0);
    CHECK(close(go[1]) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    puts("ok");
    return 0;
}
