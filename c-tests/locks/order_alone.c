/* While the process has one thread, the order in which it takes locks is nobody's concern. */
#include "order.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;
#ifndef CLEAN
static pthread_barrier_t barrier;

static void *lives(void *unused)
{
    CHECK(pthread_mutex_lock(&a) == 0);
    CHECK(pthread_mutex_unlock(&a) == 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}
#endif

int main(void)
{
#ifndef CLEAN
    pthread_t other;
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    CHECK(pthread_create(&other, NULL, lives, NULL) == 0);
    pthread_barrier_wait(&barrier);
#endif
    nest(&a, &b); /* as a program starts */
#ifndef CLEAN
    pthread_barrier_wait(&barrier);
    CHECK(pthread_join(other, NULL) == 0);
#endif
    NEST(&b, &a);
    NEST(&b, &a);
    puts("ok");
    return 0;
}
