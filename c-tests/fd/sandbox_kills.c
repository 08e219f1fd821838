/*
 * A program that locks itself in: what it does not need itself ends it (SECCOMP_RET_KILL_PROCESS), and a second filter traps more,
 * with a handler that ends it, as Chromium's. Then it opens, moves and closes descriptors, in threads and in a child.
 * What shim would like to know of a socket or of a thread may not be asked then. The double close is found all the same.
 */
#include "../test.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static void *closes(void *fd)
{
    int pair[2];
    CHECK(pipe(pair) == 0);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK(close(*(int *)fd) == 0);
    void *block = malloc(300000);
    CHECK(block);
    free(block);
    return NULL;
}

static void ends(int signal)
{
    (void)signal;
    _exit(77);
}

static void install(struct sock_filter *filter, size_t n, int by_syscall)
{
    struct sock_fprog program = {.len = n, .filter = filter};
    if (by_syscall)
        CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0);
    else
        CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define ON(call, what) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), RETURN(what)

int main(void)
{
    int fd = AT(100, tcp()), other = AT(110, open_null());
    pthread_t thread;
    signal(SIGSYS, ends);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    struct sock_filter kills[] = {
        NUMBER,
        ON(SYS_write, SECCOMP_RET_ALLOW),
        ON(SYS_close, SECCOMP_RET_ALLOW),
        ON(SYS_dup, SECCOMP_RET_ALLOW),
        ON(SYS_dup3, SECCOMP_RET_ALLOW),
#ifdef SYS_dup2
        ON(SYS_dup2, SECCOMP_RET_ALLOW),
        ON(SYS_pipe, SECCOMP_RET_ALLOW),
        ON(SYS_fork, SECCOMP_RET_ALLOW),
#endif
        ON(SYS_pipe2, SECCOMP_RET_ALLOW),
#ifdef SYS_mmap2
        ON(SYS_mmap2, SECCOMP_RET_ALLOW),
        ON(SYS_fstat64, SECCOMP_RET_ALLOW),
        ON(SYS_set_thread_area, SECCOMP_RET_ALLOW),
        ON(SYS_futex_time64, SECCOMP_RET_ALLOW),
        ON(SYS_waitpid, SECCOMP_RET_ALLOW),
        ON(SYS_socketcall, SECCOMP_RET_ALLOW),
        ON(403 /* clock_gettime64 */, SECCOMP_RET_ALLOW),
#else
        ON(SYS_newfstatat, SECCOMP_RET_ALLOW),
#endif
        ON(SYS_mmap, SECCOMP_RET_ALLOW),
        ON(SYS_munmap, SECCOMP_RET_ALLOW),
        ON(SYS_mprotect, SECCOMP_RET_ALLOW),
        ON(SYS_madvise, SECCOMP_RET_ALLOW),
        ON(SYS_brk, SECCOMP_RET_ALLOW),
        ON(SYS_fstat, SECCOMP_RET_ALLOW),
        ON(435 /* clone3 */, SECCOMP_RET_ALLOW),
        ON(SYS_clone, SECCOMP_RET_ALLOW),
        ON(SYS_wait4, SECCOMP_RET_ALLOW),
        ON(SYS_futex, SECCOMP_RET_ALLOW),
        ON(334 /* rseq, of x86_64 */, SECCOMP_RET_ALLOW),
        ON(386 /* rseq, of i386 */, SECCOMP_RET_ALLOW),
        ON(293 /* rseq, of aarch64 */, SECCOMP_RET_ALLOW),
        ON(SYS_set_robust_list, SECCOMP_RET_ALLOW),
        ON(SYS_rt_sigaction, SECCOMP_RET_ALLOW),
        ON(SYS_getrandom, SECCOMP_RET_ALLOW),
        ON(SYS_rt_sigprocmask, SECCOMP_RET_ALLOW),
        ON(SYS_rt_sigreturn, SECCOMP_RET_ALLOW),
        ON(SYS_socket, SECCOMP_RET_ALLOW),
        ON(SYS_seccomp, SECCOMP_RET_ALLOW),
        ON(SYS_clock_gettime, SECCOMP_RET_ALLOW),
        ON(SYS_exit, SECCOMP_RET_ALLOW),
        ON(SYS_exit_group, SECCOMP_RET_ALLOW),
        /* The second filter's affair. */
        ON(SYS_getpid, SECCOMP_RET_ALLOW),
        ON(SYS_gettid, SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_filter traps[] = {
        NUMBER,
        ON(SYS_getpid, SECCOMP_RET_TRAP),
        ON(SYS_gettid, SECCOMP_RET_TRAP),
        RETURN(SECCOMP_RET_ALLOW),
    };
    install(kills, sizeof kills / sizeof *kills, 0);
    install(traps, sizeof traps / sizeof *traps, 1);
    CHECK(pthread_create(&thread, NULL, closes, &fd) == 0 && pthread_join(thread, NULL) == 0);
    int again = AT(120, socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK(pthread_create(&thread, NULL, closes, &again) == 0 && pthread_join(thread, NULL) == 0);
#ifndef CLEAN
    CHECK(close(other) == 0);
    CHECK(close(other) == -1);
#else
    CHECK(close(other) == 0);
#endif
    CHECK(write(1, "ok\n", 3) == 3);
    return 0;
}
