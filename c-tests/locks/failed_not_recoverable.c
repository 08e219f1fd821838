/* The state that a robust mutex protects was never made consistent: the mutex is lost, and who locks it is told so. */
#include "../test.h"

static pthread_mutex_t lock;

static void *dies_with_it(void *unused)
{
    pthread_mutex_lock(&lock);
    return unused;
}

int main(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&lock, &attributes);
    IN_THREAD(dies_with_it, NULL);
    CHECK(pthread_mutex_lock(&lock) == EOWNERDEAD);
#ifdef CLEAN
    CHECK(pthread_mutex_consistent(&lock) == 0);
#endif
    CHECK(pthread_mutex_unlock(&lock) == 0);
#ifdef CLEAN
    CHECK(pthread_mutex_lock(&lock) == 0);
    CHECK(pthread_mutex_unlock(&lock) == 0);
#else
    CHECK(pthread_mutex_lock(&lock) == ENOTRECOVERABLE); /* here */
#endif
    pthread_mutex_destroy(&lock);
    puts("ok");
    return 0;
}
