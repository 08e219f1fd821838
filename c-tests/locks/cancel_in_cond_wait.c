/*
 * Threads are cancelled in their waits. The cleanup handler of the first finds the mutex held, and unlocks it; nothing is left
 * behind that would count as a waiter, or as a hold, when the condition is destroyed and used with another mutex.
 */
#include "futex.h"

static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static _Atomic pid_t waiter;

static void unlock(void *locked)
{
    CHECK(pthread_mutex_unlock(locked) == 0);
}

static void *worker(void *timed)
{
    struct timespec never = {2000000000, 0};
    CHECK(pthread_mutex_lock(&mutex) == 0);
    pthread_cleanup_push(unlock, &mutex);
    waiter = gettid();
    for (;;) {
        if (timed)
            pthread_cond_timedwait(&ready, &mutex, &never);
        else
            pthread_cond_wait(&ready, &mutex);
    }
    pthread_cleanup_pop(1);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < 20; i++) {
        struct timespec now = {1, 0};
        pthread_t thread;
        void *result;
        waiter = 0;
        CHECK(pthread_create(&thread, NULL, worker, i % 2 ? &mutex : NULL) == 0);
        while (!waiter)
            sched_yield();
        until_waiting(waiter, &ready, sizeof ready);
        CHECK(pthread_cancel(thread) == 0);
        CHECK(pthread_join(thread, &result) == 0);
        CHECK(result == PTHREAD_CANCELED);
        CHECK(pthread_mutex_lock(&other) == 0);
        CHECK(pthread_cond_timedwait(&ready, &other, &now) == ETIMEDOUT);
        CHECK(pthread_mutex_unlock(&other) == 0);
        CHECK(pthread_cond_destroy(&ready) == 0);
        CHECK(pthread_cond_init(&ready, NULL) == 0);
    }
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_destroy(&mutex) == 0);
    puts("ok");
    return 0;
}
