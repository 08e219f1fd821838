/* One thread locks a mutex, another unlocks it. glibc says 0. */
#include "../test.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t step;

static void *worker(void *unused)
{
    pthread_mutex_lock(&mutex); /* locked */
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
#ifdef CLEAN
    pthread_mutex_unlock(&mutex);
#endif
    return unused;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_barrier_init(&step, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, worker, NULL) == 0);
    pthread_barrier_wait(&step);
#ifndef CLEAN
    CHECK(pthread_mutex_unlock(&mutex) == 0); /* here */
#endif
    pthread_barrier_wait(&step);
    CHECK(pthread_join(thread, NULL) == 0);
    puts("ok");
    return 0;
}
