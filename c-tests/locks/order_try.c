/* A try does not wait, and a timed lock gives up: neither closes a ring for ever. A lock does. */
#include "order.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;

static void *b_then_tries_a(void *unused)
{
    struct timespec until = {time(NULL) + 15, 0};
    CHECK(pthread_mutex_lock(&b) == 0);
    CHECK(pthread_mutex_trylock(&a) == 0);
    CHECK(pthread_mutex_unlock(&a) == 0);
    CHECK(pthread_mutex_timedlock(&a, &until) == 0);
    CHECK(pthread_mutex_unlock(&a) == 0);
    CHECK(pthread_mutex_unlock(&b) == 0);
    return unused;
}

int main(void)
{
    NEST(&a, &b);
    IN_THREAD(b_then_tries_a, NULL);
#ifndef CLEAN
    NEST(&b, &a);
#endif
    puts("ok");
    return 0;
}
