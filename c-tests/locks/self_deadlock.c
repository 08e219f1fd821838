/* A thread locks a normal mutex that it has. It would wait for ever; `protect` answers EDEADLK. */
#include "../test.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    alarm(1);
    CHECK(pthread_mutex_lock(&mutex) == 0); /* locked */
#ifndef CLEAN
    CHECK(pthread_mutex_lock(&mutex) == EDEADLK); /* here */
#endif
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    puts("ok");
    return 0;
}
