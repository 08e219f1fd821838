/* Two threads take the same two mutexes in both orders. It went well this time. */
#include "../test.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;

static void *a_then_b(void *unused)
{
    CHECK(pthread_mutex_lock(&a) == 0);
    CHECK(pthread_mutex_lock(&b) == 0); /* victim */
    CHECK(pthread_mutex_unlock(&b) == 0);
    CHECK(pthread_mutex_unlock(&a) == 0);
    return unused;
}

#ifndef CLEAN
static void *b_then_a(void *unused)
{
    CHECK(pthread_mutex_lock(&b) == 0); /* locked */
    CHECK(pthread_mutex_lock(&a) == 0); /* here */
    CHECK(pthread_mutex_unlock(&a) == 0);
    CHECK(pthread_mutex_unlock(&b) == 0);
    return unused;
}
#else
#define b_then_a a_then_b
#endif

int main(void)
{
    IN_THREAD(a_then_b, NULL);
    IN_THREAD(b_then_a, NULL);
    IN_THREAD(b_then_a, NULL);
    puts("ok");
    return 0;
}
