/* A mutex is locked after its destruction: glibc says EINVAL. */
#include "../test.h"

static pthread_mutex_t mutex;

int main(void)
{
    CHECK(pthread_mutex_init(&mutex, NULL) == 0); /* created */
    CHECK(pthread_mutex_destroy(&mutex) == 0);    /* deleted */
#ifdef CLEAN
    CHECK(pthread_mutex_init(&mutex, NULL) == 0);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
#else
    CHECK(pthread_mutex_lock(&mutex) == EINVAL); /* here */
#endif
    puts("ok");
    return 0;
}
