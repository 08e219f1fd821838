/*
 * Locks that were taken where nobody could see it: by the loader's own functions, found past the preload. Whoever unlocks them is in
 * the right, in whichever thread.
 */
#include "../test.h"
#include <dlfcn.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *unlocks(void *unused)
{
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_rwlock_unlock(&rwlock) == 0);
    return unused;
}

int main(void)
{
    void *libc = dlopen("libpthread.so.0", RTLD_NOW);
    int (*lock)(pthread_mutex_t *) = libc ? (int (*)(pthread_mutex_t *))dlsym(libc, "pthread_mutex_lock") : NULL;
    if (!lock) {
        libc = dlopen("libc.so.6", RTLD_NOW);
        lock = (int (*)(pthread_mutex_t *))dlsym(libc, "pthread_mutex_lock");
    }
    int (*read)(pthread_rwlock_t *) = (int (*)(pthread_rwlock_t *))dlsym(libc, "pthread_rwlock_rdlock");
    CHECK(lock && read);
    CHECK(lock(&mutex) == 0 && read(&rwlock) == 0);
    IN_THREAD(unlocks, NULL);
    CHECK(lock(&mutex) == 0 && read(&rwlock) == 0);
    unlocks(NULL);
    puts("ok");
    return 0;
}
