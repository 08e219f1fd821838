/*
 * Mutexes of all kinds that wait for themselves, each in a process of its own, whose alarm ends it: the finding is out before it hangs.
 * Those that are refused (errors are checked) or let in (recursive) are no fault of that kind.
 */
#include "../test.h"

static pthread_mutex_t lock;

static void twice(int kind, int protocol, int robust)
{
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_settype(&attributes, kind);
        pthread_mutexattr_setprotocol(&attributes, protocol);
        pthread_mutexattr_setrobust(&attributes, robust);
        pthread_mutex_init(&lock, &attributes);
        signal(SIGALRM, SIG_DFL);
        alarm(1);
        pthread_mutex_lock(&lock); /* locked */
#ifdef CLEAN
        pthread_mutex_unlock(&lock);
#endif
        int result = pthread_mutex_lock(&lock); /* here */
#ifndef CLEAN
        _exit(result == EDEADLK ? 0 : 1);
#endif
        _exit(result);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM));
}

int main(void)
{
    twice(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
    twice(PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
    twice(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
    twice(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
    puts("ok");
    return 0;
}
