/* a then b, b then c, c then a: three threads could wait for each other in a ring. No two of them could. */
#include "order.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t c = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    NEST(&a, &b);
    NEST(&b, &c);
#ifndef CLEAN
    NEST(&c, &a);
#else
    NEST(&a, &c);
#endif
    puts("ok");
    return 0;
}
