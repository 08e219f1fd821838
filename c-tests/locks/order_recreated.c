/* A lock that was destroyed and made anew at the same place is another lock. */
#include "order.h"

static pthread_mutex_t a, b;

int main(void)
{
    CHECK(pthread_mutex_init(&a, NULL) == 0);
    CHECK(pthread_mutex_init(&b, NULL) == 0);
    NEST(&a, &b);
#ifdef CLEAN
    CHECK(pthread_mutex_destroy(&b) == 0);
    CHECK(pthread_mutex_init(&b, NULL) == 0);
#endif
    NEST(&b, &a);
    CHECK(pthread_mutex_destroy(&a) == 0);
    CHECK(pthread_mutex_destroy(&b) == 0);
    puts("ok");
    return 0;
}
