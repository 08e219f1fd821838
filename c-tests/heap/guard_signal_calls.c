/*
 * What a program may do with SIGSEGV and SIGBUS, with guard pages on: every answer is that of libc alone.
 */
#include "poke.h"
#include <setjmp.h>
#include <sys/mman.h>

static sigjmp_buf before;
static volatile sig_atomic_t caught, masked;

static void count(int signal)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    masked = sigismember(&now, SIGUSR1) * 2 + sigismember(&now, signal);
    caught++;
    siglongjmp(before, 1);
}

static void once(int signal)
{
    (void)signal;
    caught++;
}

static int faults(void)
{
    caught = 0;
    if (sigsetjmp(before, 1) == 0)
        peek((char *)128, 0);
    return caught;
}

static int end_of(void (*act)(void))
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        act();
        _exit(7);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void fault_by_default(void)
{
    signal(SIGSEGV, SIG_DFL);
    peek((char *)128, 0);
}

static void send_by_default(void)
{
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void fault_ignored(void)
{
    signal(SIGSEGV, SIG_IGN);
    raise(SIGSEGV);
    peek((char *)128, 0);
}

static void send_twice(void)
{
    caught = 0;
    struct sigaction action = {.sa_handler = once, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGSEGV, &action, NULL);
    raise(SIGSEGV);
    struct sigaction now;
    sigaction(SIGSEGV, NULL, &now);
    if (now.sa_handler != SIG_DFL || caught != 1)
        _exit(8);
    raise(SIGSEGV);
}

static void overflow_stack(void)
{
    signal(SIGSEGV, SIG_DFL);
    volatile char room[4096];
    room[0] = 1;
    overflow_stack();
    room[1] = 2;
}

static void execute_ignoring(void)
{
    signal(SIGSEGV, SIG_IGN);
    execl("/bin/sh", "sh", "-c", "kill -SEGV $$; exit 5", NULL);
}

static void execute_handling(void)
{
    signal(SIGSEGV, once);
    execl("/bin/sh", "sh", "-c", "kill -SEGV $$", NULL);
}

static void bus_error(void)
{
    FILE *empty = tmpfile();
    char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(empty), 0);
    peek(page, 0);
}

int main(void)
{
    struct sigaction old, action = {.sa_handler = count};
    CHECK(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == SIG_DFL && old.sa_flags == 0);
    CHECK(sigaction(SIGBUS, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    CHECK(signal(SIGSEGV, count) == SIG_DFL);
    CHECK(faults() == 1 && masked == 1);
    CHECK(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == count && old.sa_flags & SA_RESTART);
    CHECK(sigismember(&old.sa_mask, SIGSEGV) == 1 && sigismember(&old.sa_mask, SIGBUS) == 0);
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR1);
    action.sa_flags = SA_NODEFER;
    CHECK(sigaction(SIGSEGV, &action, &action) == 0 && action.sa_handler == count);
    CHECK(faults() == 1 && masked == 2);
    CHECK(sigaction(SIGSEGV, NULL, &old) == 0 && sigismember(&old.sa_mask, SIGUSR1) == 1);
    CHECK(sysv_signal(SIGSEGV, count) == count && faults() == 1 && masked == 0);
    CHECK(signal(SIGSEGV, SIG_IGN) == SIG_DFL);
    CHECK(signal(SIGSEGV, count) == SIG_IGN);
    CHECK(signal(SIGSEGV, SIG_ERR) == SIG_ERR && errno == EINVAL);
    CHECK(sigaction(SIGKILL, &action, NULL) == -1 && errno == EINVAL);
    CHECK(sigset(SIGSEGV, once) == count && sigset(SIGSEGV, SIG_HOLD) == once);
    CHECK(sigset(SIGSEGV, SIG_DFL) == SIG_HOLD && sigset(SIGSEGV, SIG_DFL) == SIG_DFL);
    CHECK(sigignore(SIGSEGV) == 0 && signal(SIGSEGV, SIG_DFL) == SIG_IGN);

    CHECK(end_of(fault_by_default) == SIGSEGV);
    CHECK(end_of(send_by_default) == SIGSEGV);
    CHECK(end_of(fault_ignored) == SIGSEGV);
    CHECK(end_of(send_twice) == SIGSEGV);
    CHECK(end_of(overflow_stack) == SIGSEGV);
    CHECK(end_of(execute_ignoring) == -5);
    CHECK(end_of(execute_handling) == SIGSEGV);
    CHECK(end_of(bus_error) == SIGBUS);

    /* A vfork child has handlers of its own. */
    CHECK(signal(SIGSEGV, count) == SIG_DFL);
    int status;
    pid_t child = vfork();
    if (child == 0) {
        struct sigaction by_default = {.sa_handler = SIG_DFL}, its;
        sigaction(SIGSEGV, &by_default, &its);
        _exit(its.sa_handler == count ? 0 : 9);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(faults() == 1);
    printf("ok\n");
    return 0;
}
