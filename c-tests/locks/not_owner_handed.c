/*
 * A mutex is used like a semaphore: one thread locks it, another unlocks it. That is said once; what follows from it (the first
 * thread takes it again, ends without it, frees it) is not.
 */
#include "../test.h"

static pthread_mutex_t *lock;
static pthread_barrier_t barrier;

static void *waiter(void *unused)
{
    for (int i = 0; i < 10; i++) {
        pthread_mutex_lock(lock); /* locked */
        pthread_barrier_wait(&barrier);
#ifdef CLEAN
        pthread_mutex_unlock(lock);
#endif
        pthread_barrier_wait(&barrier);
    }
    return unused;
}

static void *poster(void *unused)
{
    for (int i = 0; i < 10; i++) {
        pthread_barrier_wait(&barrier);
#ifndef CLEAN
        pthread_mutex_unlock(lock); /* here */
#endif
        pthread_barrier_wait(&barrier);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    lock = malloc(sizeof *lock);
    pthread_mutex_init(lock, NULL);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&threads[0], NULL, waiter, NULL);
    pthread_create(&threads[1], NULL, poster, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    free(lock);
    puts("ok");
    return 0;
}
