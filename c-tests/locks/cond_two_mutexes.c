/* Two threads wait on one condition at the same time, each with a mutex of its own. The clean twin waits one after the other. */
#include "futex.h"
#include <time.h>

static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pid_t waiter;
static int done;

static void *worker(void *unused)
{
    pthread_mutex_lock(&first);
    waiter = gettid();
    while (!done)
        pthread_cond_wait(&ready, &first); /* victim */
    pthread_mutex_unlock(&first);
    return unused;
}

static void wake(void)
{
    CHECK(pthread_mutex_lock(&first) == 0);
    done = 1;
    CHECK(pthread_cond_broadcast(&ready) == 0);
    CHECK(pthread_mutex_unlock(&first) == 0);
}

int main(void)
{
    pthread_t thread;
    struct timespec now = {1, 0};
    CHECK(pthread_create(&thread, NULL, worker, NULL) == 0);
    while (!waiter)
        sched_yield();
    until_waiting(waiter, &ready, sizeof ready);
#ifdef CLEAN
    wake();
#endif
    CHECK(pthread_mutex_lock(&second) == 0);
    CHECK(pthread_cond_timedwait(&ready, &second, &now) == ETIMEDOUT); /* here */
    CHECK(pthread_mutex_unlock(&second) == 0);
#ifndef CLEAN
    wake();
#endif
    CHECK(pthread_join(thread, NULL) == 0);
    puts("ok");
    return 0;
}
