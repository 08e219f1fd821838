/* A thread is cancelled in sem_wait, asleep; and before it, where there is something to be had: it is cancelled all the same. */
#include "futex.h"
#include <semaphore.h>

static sem_t slots, go;
static _Atomic pid_t waiter;

static void *sleeper(void *unused)
{
    waiter = gettid();
    sem_wait(&slots);
    return unused;
}

static void *pending(void *unused)
{
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    while (sem_wait(&go) != 0)
        ;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    sem_wait(&slots);
    return unused;
}

int main(void)
{
    pthread_t thread;
    void *result;
    int value;
    CHECK(sem_init(&slots, 0, 0) == 0);
    CHECK(sem_init(&go, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, sleeper, NULL) == 0);
    while (!waiter)
        sched_yield();
    until_waiting(waiter, &slots, sizeof slots);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);

    CHECK(sem_post(&slots) == 0);
    CHECK(pthread_create(&thread, NULL, pending, NULL) == 0);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(sem_post(&go) == 0);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    CHECK(sem_getvalue(&slots, &value) == 0 && value == 1);
    CHECK(sem_destroy(&slots) == 0);
    CHECK(sem_destroy(&go) == 0);
    puts("ok");
    return 0;
}
