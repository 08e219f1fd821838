/* A thread waits with a mutex that it has unlocked. glibc says nothing. */
#include "../test.h"
#include <time.h>

static pthread_cond_t ready = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    struct timespec now = {1, 0};
    CHECK(pthread_mutex_lock(&mutex) == 0);
#ifndef CLEAN
    CHECK(pthread_mutex_unlock(&mutex) == 0);
#endif
    CHECK(pthread_cond_timedwait(&ready, &mutex, &now) == ETIMEDOUT); /* here */
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    puts("ok");
    return 0;
}
