/* A thread waits with a mutex that another one has. */
#include "../test.h"
#include <time.h>

static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_barrier_t step;

static void *worker(void *unused)
{
    pthread_mutex_lock(&mutex); /* locked */
#ifdef CLEAN
    pthread_mutex_unlock(&mutex);
#endif
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
#ifndef CLEAN
    pthread_mutex_unlock(&mutex);
#endif
    return unused;
}

int main(void)
{
    struct timespec now = {1, 0};
    pthread_t thread;
    CHECK(pthread_barrier_init(&step, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, worker, NULL) == 0);
    pthread_barrier_wait(&step);
#ifndef CLEAN
    CHECK(pthread_cond_timedwait(&ready, &mutex, &now) == EPERM); /* here */
#else
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_cond_timedwait(&ready, &mutex, &now) == ETIMEDOUT);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
#endif
    pthread_barrier_wait(&step);
    CHECK(pthread_join(thread, NULL) == 0);
    puts("ok");
    return 0;
}
