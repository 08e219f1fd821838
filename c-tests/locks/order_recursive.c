/* A thread that takes what it has already waits for nobody. */
#include "../test.h"

static pthread_mutex_t a = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;

static void *again(void *unused)
{
    CHECK(pthread_mutex_lock(&a) == 0);
    CHECK(pthread_rwlock_rdlock(&shared) == 0);
    CHECK(pthread_mutex_lock(&b) == 0);
    CHECK(pthread_mutex_lock(&a) == 0);
    CHECK(pthread_rwlock_rdlock(&shared) == 0);
    CHECK(pthread_rwlock_unlock(&shared) == 0);
    CHECK(pthread_mutex_unlock(&a) == 0);
    CHECK(pthread_mutex_unlock(&b) == 0);
    CHECK(pthread_rwlock_unlock(&shared) == 0);
    CHECK(pthread_mutex_unlock(&a) == 0);
    return unused;
}

int main(void)
{
    IN_THREAD(again, NULL);
    IN_THREAD(again, NULL);
    puts("ok");
    return 0;
}
