/* The mutex was never seen locked: nothing is known against the wait. With a mutex that checks, glibc says EPERM. */
#include "../test.h"
#include <time.h>

static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

int main(void)
{
    struct timespec now = {1, 0};
#ifndef CLEAN
    CHECK(pthread_cond_timedwait(&ready, &mutex, &now) == EPERM); /* here */
#else
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_cond_timedwait(&ready, &mutex, &now) == ETIMEDOUT);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
#endif
    puts("ok");
    return 0;
}
