/* A mutex is unlocked twice. glibc says 0. */
#include "../test.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
#ifndef CLEAN
    CHECK(pthread_mutex_unlock(&mutex) == 0); /* here */
#endif
    puts("ok");
    return 0;
}
