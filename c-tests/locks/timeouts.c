/* Everything that waits for so long, in the past: each says that its time is up, and errno is nobody's but the semaphore's. */
#include "../test.h"
#include <semaphore.h>
#include <threads.h>
#include <time.h>

static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static sem_t slots;
static mtx_t mtx;
static cnd_t cnd;

static void *others(void *unused)
{
    struct timespec now = {1, 0};
    errno = 4711;
    CHECK(pthread_mutex_timedlock(&mutex, &now) == ETIMEDOUT);
    CHECK(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &now) == ETIMEDOUT);
    CHECK(pthread_mutex_trylock(&mutex) == EBUSY);
    CHECK(pthread_rwlock_timedrdlock(&table, &now) == ETIMEDOUT);
    CHECK(pthread_rwlock_timedwrlock(&table, &now) == ETIMEDOUT);
    CHECK(pthread_rwlock_clockrdlock(&table, CLOCK_MONOTONIC, &now) == ETIMEDOUT);
    CHECK(pthread_rwlock_clockwrlock(&table, CLOCK_MONOTONIC, &now) == ETIMEDOUT);
    CHECK(mtx_timedlock(&mtx, &now) == thrd_timedout);
    CHECK(mtx_trylock(&mtx) == thrd_busy);
    CHECK(errno == 4711);
    return unused;
}

int main(void)
{
    struct timespec now = {1, 0};
    CHECK(sem_init(&slots, 0, 0) == 0);
    CHECK(mtx_init(&mtx, mtx_timed) == thrd_success);
    CHECK(cnd_init(&cnd) == thrd_success);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_rwlock_wrlock(&table) == 0);
    CHECK(mtx_lock(&mtx) == thrd_success);
    IN_THREAD(others, NULL);
    errno = 4711;
    CHECK(pthread_cond_timedwait(&ready, &mutex, &now) == ETIMEDOUT);
    CHECK(pthread_cond_clockwait(&ready, &mutex, CLOCK_MONOTONIC, &now) == ETIMEDOUT);
    CHECK(cnd_timedwait(&cnd, &mtx, &now) == thrd_timedout);
    CHECK(errno == 4711);
    CHECK(sem_timedwait(&slots, &now) == -1 && errno == ETIMEDOUT);
    CHECK(sem_clockwait(&slots, CLOCK_MONOTONIC, &now) == -1 && errno == ETIMEDOUT);
    CHECK(sem_trywait(&slots) == -1 && errno == EAGAIN);
    CHECK(mtx_unlock(&mtx) == thrd_success);
    CHECK(pthread_rwlock_unlock(&table) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(sem_destroy(&slots) == 0);
    cnd_destroy(&cnd);
    mtx_destroy(&mtx);
    puts("ok");
    return 0;
}
