/* A thread ends and has a mutex. The clean twin lets it go where it still can: in the destructor of a key. */
#include "../test.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;

static void last(void *locked)
{
#ifdef CLEAN
    pthread_mutex_unlock(locked);
#else
    (void)locked;
#endif
}

static void *worker(void *unused)
{
    pthread_setspecific(key, &mutex);
    pthread_mutex_lock(&mutex); /* locked */
    return unused;
}

int main(void)
{
    CHECK(pthread_key_create(&key, last) == 0);
    IN_THREAD(worker, NULL);
    puts("ok");
    return 0;
}
