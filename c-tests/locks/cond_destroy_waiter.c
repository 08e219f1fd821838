/* A condition is destroyed while a thread waits on it: glibc waits for that one, for ever. The clean twin wakes it before. */
#include "futex.h"

static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pid_t waiter;
static int done;

static void *worker(void *unused)
{
    pthread_mutex_lock(&mutex);
    waiter = gettid();
    while (!done)
        pthread_cond_wait(&ready, &mutex); /* victim */
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, worker, NULL) == 0);
    while (!waiter)
        sched_yield();
    until_waiting(waiter, &ready, sizeof ready);
#ifdef CLEAN
    CHECK(pthread_mutex_lock(&mutex) == 0);
    done = 1;
    CHECK(pthread_cond_broadcast(&ready) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
#else
    alarm(1);
#endif
    CHECK(pthread_cond_destroy(&ready) == 0); /* here */
    CHECK(pthread_join(thread, NULL) == 0);
    puts("ok");
    return 0;
}
