/* What is held by a try is held, and whoever waits for another lock then makes the others wait. */
#include "order.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;

static void *tries_b_then_a(void *unused)
{
    CHECK(pthread_mutex_trylock(&b) == 0); /* locked */
#ifndef CLEAN
    CHECK(pthread_mutex_lock(&a) == 0); /* here */
#else
    CHECK(pthread_mutex_trylock(&a) == 0);
#endif
    CHECK(pthread_mutex_unlock(&a) == 0);
    CHECK(pthread_mutex_unlock(&b) == 0);
    return unused;
}

int main(void)
{
    NEST(&a, &b);
    IN_THREAD(tries_b_then_a, NULL);
    puts("ok");
    return 0;
}
