/* Whoever takes the two locks has the gate, so only one thread at a time does. Unless one goes round it. */
#include "order.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;

static void *a_then_b(void *unused)
{
    CHECK(pthread_mutex_lock(&gate) == 0);
    nest(&a, &b);
    CHECK(pthread_mutex_unlock(&gate) == 0);
    return unused;
}

static void *b_then_a(void *unused)
{
    CHECK(pthread_mutex_lock(&gate) == 0);
    nest(&b, &a);
    CHECK(pthread_mutex_unlock(&gate) == 0);
    return unused;
}

int main(void)
{
    IN_THREAD(a_then_b, NULL);
    IN_THREAD(b_then_a, NULL);
#ifndef CLEAN
    NEST(&b, &a);
#endif
    puts("ok");
    return 0;
}
