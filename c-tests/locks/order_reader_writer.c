/* Readers do not wait for each other, in whatever order. One writer among them, and they may. */
#include "../test.h"

static pthread_rwlock_t a = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t b = PTHREAD_RWLOCK_INITIALIZER;

#ifndef CLEAN
#define last pthread_rwlock_wrlock
#else
#define last pthread_rwlock_rdlock
#endif

static void *a_then_b(void *unused)
{
    CHECK(pthread_rwlock_rdlock(&a) == 0);
    CHECK(last(&b) == 0); /* victim */
    CHECK(pthread_rwlock_unlock(&b) == 0);
    CHECK(pthread_rwlock_unlock(&a) == 0);
    return unused;
}

static void *b_then_a(void *unused)
{
    CHECK(pthread_rwlock_rdlock(&b) == 0); /* locked */
    CHECK(last(&a) == 0);                  /* here */
    CHECK(pthread_rwlock_unlock(&a) == 0);
    CHECK(pthread_rwlock_unlock(&b) == 0);
    return unused;
}

int main(void)
{
    IN_THREAD(a_then_b, NULL);
    IN_THREAD(b_then_a, NULL);
    puts("ok");
    return 0;
}
