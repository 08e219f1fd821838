/* One thread takes two locks in both orders: it waits for nobody. Then another takes them in one of the two. */
#include "order.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;

static void *both(void *unused)
{
    nest(&a, &b);
    nest(&b, &a);
    nest(&a, &b);
    return unused;
}

int main(void)
{
    IN_THREAD(both, NULL);
#ifndef CLEAN
    NEST(&a, &b);
#endif
    puts("ok");
    return 0;
}
