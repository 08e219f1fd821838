/* Every kind of mutex, by initialiser and by attribute: locked, tried, locked again where that may be, handed over by nobody. */
#include "../test.h"
#include <time.h>

static pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
static pthread_rwlock_t reading = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t writing = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static void use(pthread_mutex_t *lock, int times)
{
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 5;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < times; i++)
            CHECK(pthread_mutex_lock(lock) == 0);
        if (times > 1) {
            CHECK(pthread_mutex_trylock(lock) == 0);
            CHECK(pthread_mutex_timedlock(lock, &soon) == 0);
            CHECK(pthread_mutex_unlock(lock) == 0);
            CHECK(pthread_mutex_unlock(lock) == 0);
        }
        for (int i = 0; i < times; i++)
            CHECK(pthread_mutex_unlock(lock) == 0);
        CHECK(pthread_mutex_timedlock(lock, &soon) == 0);
        if (times == 1) {
            /* Of a robust or priority-inheriting one that checks for errors, glibc says EDEADLK. */
            int busy = pthread_mutex_trylock(lock);
            CHECK(busy == EBUSY || busy == EDEADLK);
        }
        CHECK(pthread_mutex_unlock(lock) == 0);
        /* Another thread may have it by now. */
        int tried = pthread_mutex_trylock(lock);
        CHECK(tried == 0 || tried == EBUSY);
        if (tried == 0)
            CHECK(pthread_mutex_unlock(lock) == 0);
    }
}

static void *worker(void *unused)
{
    for (int i = 0; i < 50; i++) {
        use(&normal, 1);
        use(&recursive, 5);
        use(&checking, 1);
        use(&adaptive, 1);
        for (int n = 0; n < 3; n++)
            pthread_rwlock_rdlock(&reading);
        for (int n = 0; n < 3; n++)
            pthread_rwlock_unlock(&reading);
        pthread_rwlock_wrlock(&writing);
        pthread_rwlock_unlock(&writing);
    }
    return unused;
}

int main(void)
{
    worker(NULL);
    static const int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};
    static const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT};
    for (int kind = 0; kind < 4; kind++)
        for (int robust = 0; robust < 2; robust++)
            for (int protocol = 0; protocol < 2; protocol++)
                for (int shared = 0; shared < 2; shared++) {
                    pthread_mutexattr_t attributes;
                    pthread_mutex_t lock;
                    pthread_mutexattr_init(&attributes);
                    pthread_mutexattr_settype(&attributes, kinds[kind]);
                    pthread_mutexattr_setrobust(&attributes, robust);
                    pthread_mutexattr_setprotocol(&attributes, protocols[protocol]);
                    pthread_mutexattr_setpshared(&attributes, shared);
                    CHECK(pthread_mutex_init(&lock, &attributes) == 0);
                    use(&lock, kinds[kind] == PTHREAD_MUTEX_RECURSIVE ? 7 : 1);
                    CHECK(pthread_mutex_destroy(&lock) == 0);
                }
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    puts("ok");
    return 0;
}
