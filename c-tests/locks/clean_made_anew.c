/*
 * Locks that are made anew where nobody can see it: by assignment of an initialiser, on the stack, in memory that was zeroed or that
 * another program's part has filled.
 */
#include "../test.h"

static void on_the_stack(int how)
{
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    if (how & 1)
        pthread_rwlock_wrlock(&lock);
    else
        pthread_rwlock_rdlock(&lock);
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_destroy(&lock);
    pthread_mutex_destroy(&mutex);
    pthread_cond_destroy(&cond);
}

int main(void)
{
    for (int i = 0; i < 10; i++)
        on_the_stack(i);
    for (int i = 0; i < 10; i++) {
        pthread_rwlock_t *lock = calloc(4, sizeof *lock);
        pthread_rwlock_rdlock(&lock[3]);
        pthread_rwlock_unlock(&lock[3]);
        pthread_rwlock_destroy(&lock[3]);
        free(lock);
    }
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&mutex);
        mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    }
    static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    for (int i = 0; i < 3; i++) {
        pthread_rwlock_rdlock(&lock);
        lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
        pthread_rwlock_wrlock(&lock);
        lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    }
    pthread_rwlock_wrlock(&lock);
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_destroy(&lock);
    lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_rdlock(&lock);
    pthread_rwlock_unlock(&lock);
    puts("ok");
    return 0;
}
