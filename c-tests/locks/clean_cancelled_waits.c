/* Threads that are cancelled inside a wait on a condition variable, timed or not: the mutex is theirs again in the cleanup handler. */
#include "../test.h"
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;

static void unlock(void *unused)
{
    (void)unused;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void *worker(void *timed)
{
    struct timespec late;
    clock_gettime(CLOCK_REALTIME, &late);
    late.tv_sec += 100;
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, NULL);
    if (timed)
        pthread_barrier_wait(&barrier);
    else
        pthread_barrier_wait(&barrier);
    for (;;) {
        if (timed)
            pthread_cond_timedwait(&never, &mutex, &late);
        else
            pthread_cond_wait(&never, &mutex);
    }
    pthread_cleanup_pop(1);
    return NULL;
}

int main(void)
{
    pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, worker, i & 1 ? &mutex : NULL) == 0);
        pthread_barrier_wait(&barrier);
        if (i & 2) {
            /* It waits: the mutex is free. */
            pthread_mutex_lock(&mutex);
            pthread_mutex_unlock(&mutex);
        }
        pthread_cancel(thread);
        pthread_join(thread, NULL);
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    puts("ok");
    return 0;
}
