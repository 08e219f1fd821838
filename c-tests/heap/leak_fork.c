/*
 * A child tells of what it lost itself, not of what its parent had lost before, nor of what the parent keeps on its stack.
 */
#include "../lost.h"

NOINLINE static void lose_in_parent(void)
{
    LOSE(HIDDEN(malloc(40))); /* allocated */
}

NOINLINE static void lose_in_child(void)
{
    LOSE(HIDDEN(malloc(24))); /* allocated */
}

static void child(int hard)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        if (!hard)
            lose_in_child();
        scrub();
        if (hard)
            _exit(0);
        exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
    lose_in_parent();
    child(0);
    child(1);
    scrub();
    printf("ok\n");
    return 0;
}
