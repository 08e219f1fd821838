/* The first that a process does, before any constructor of a library has run, is to take a lock; the last, after all, to let it go. */
#include "../test.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, kept = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void early(void)
{
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&rwlock);
    pthread_mutex_unlock(&mutex);
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_lock(&kept);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = early;

__attribute__((destructor)) static void late(void)
{
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&kept);
}

int main(void)
{
    CHECK(pthread_mutex_trylock(&kept) == EBUSY);
    puts("ok");
    return 0;
}
