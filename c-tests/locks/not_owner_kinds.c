/*
 * A stranger unlocks, by the kind of the mutex: those that know their owner refuse, and their owner has them still; the others let go,
 * and a later lock and unlock by either thread is right again.
 */
#include "../test.h"

static pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

static void *stranger(void *lock)
{
    int expected = lock == &normal ? 0 : EPERM;
#ifndef CLEAN
    CHECK(pthread_mutex_unlock(lock) == expected); /* here */
#else
    CHECK(expected == 0 || expected == EPERM);
#endif
    return NULL;
}

static void *takes_it(void *lock)
{
    CHECK(pthread_mutex_lock(lock) == 0);
    CHECK(pthread_mutex_unlock(lock) == 0);
    return NULL;
}

int main(void)
{
    pthread_mutex_t *all[] = {&normal, &recursive, &checking};
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_mutex_lock(all[i]) == 0); /* locked */
        IN_THREAD(stranger, all[i]);
#ifndef CLEAN
        if (all[i] != &normal)
#endif
            CHECK(pthread_mutex_unlock(all[i]) == 0);
        IN_THREAD(takes_it, all[i]);
        takes_it(all[i]);
    }
    puts("ok");
    return 0;
}
