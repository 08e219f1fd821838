/* A condition variable is waited on after its destruction. */
#include "../test.h"
#include <time.h>

static pthread_cond_t ready;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    struct timespec now = {1, 0};
    CHECK(pthread_cond_init(&ready, NULL) == 0); /* created */
    CHECK(pthread_cond_destroy(&ready) == 0);    /* deleted */
#ifdef CLEAN
    CHECK(pthread_cond_init(&ready, NULL) == 0);
#endif
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_cond_timedwait(&ready, &mutex, &now) == ETIMEDOUT); /* here */
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    puts("ok");
    return 0;
}
