/*
 * Children that share their parent's memory and not its descriptors, by clone: one with a piece of zeroed stack for its thread
 * pointer, as Chromium's sandbox has it, one on its sleeping parent's TLS, one on that of its parent who runs beside it. Each closes
 * and moves descriptors, and ends by _exit, by returning, or by a vfork and an exec of its own.
 * What they close is not their parent's, which is not blinded either: its own double close is found. One error, nothing else.
 */
#include "../test.h"

static int fd, other;

static int closes(void *how)
{
    close(fd);
    close(other);
    if (how)
        _exit(3);
    return 3;
}

/* No errno here: its address is found through the thread pointer's memory. */
static int without_tls(void *how)
{
    syscall(SYS_close, fd);
    dup2(other, fd);
    close(other);
    void *block = malloc(100);
    free(block);
    if (how && vfork() == 0) {
        syscall(SYS_execve, "/bin/true", (char *[]){"true", NULL}, (char *[]){NULL});
        _exit(127);
    }
    _exit(3);
}

static int child(int (*function)(void *), void *how, int flags, void *tls)
{
    static char stacks[8][65536] __attribute__((aligned(16)));
    static int used;
    char *stack = stacks[used++];
    int status;
    pid_t pid = clone(function, stack + sizeof stacks[0], flags | SIGCHLD, how, NULL, tls, NULL);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

int main(void)
{
    /* Variables of threads lie before the thread pointer, or behind it. */
    char room[16384] __attribute__((aligned(64))) = {0}, *tls = room + sizeof room / 2;
    /* Calls that can be cancelled look for their thread there, since glibc 2.41. */
    ((void **)tls)[0] = ((void **)tls)[2] = tls;
    fd = AT(100, open_null());
    other = AT(110, tcp());
    int ends[] = {
        child(without_tls, NULL, CLONE_VM | CLONE_FS | CLONE_VFORK | CLONE_SETTLS, tls),
        child(without_tls, "vfork", CLONE_VM | CLONE_VFORK | CLONE_SETTLS, tls),
        child(closes, NULL, CLONE_VM | CLONE_VFORK, NULL),
        child(closes, "_exit", CLONE_VM | CLONE_VFORK, NULL),
        child(closes, NULL, CLONE_VM, NULL),
        child(closes, "_exit", CLONE_VM, NULL),
        child(closes, "_exit", 0, NULL),
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        CHECK(WIFEXITED(ends[i]) && WEXITSTATUS(ends[i]) == 3);
    CHECK(write(fd, "x", 1) == 1);
    CHECK(close(fd) == 0 && close(other) == 0);
#ifndef CLEAN
    CHECK(close(fd) == -1);
#endif
    printf("ok\n");
    return 0;
}
