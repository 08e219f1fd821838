/* A condition is made anew while a thread waits on it, which will never hear of a signal again. */
#include "futex.h"

static pthread_cond_t ready;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pid_t waiter;

static void *worker(void *unused)
{
    pthread_mutex_lock(&mutex);
    waiter = gettid();
    pthread_cond_wait(&ready, &mutex); /* victim */
    pthread_mutex_unlock(&mutex);
    return unused;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_cond_init(&ready, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, worker, NULL) == 0);
    while (!waiter)
        sched_yield();
    until_waiting(waiter, &ready, sizeof ready);
#ifdef CLEAN
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_cond_broadcast(&ready) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
#endif
    CHECK(pthread_cond_init(&ready, NULL) == 0); /* here */
    puts("ok");
    return 0;
}
