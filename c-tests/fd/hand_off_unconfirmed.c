/*
 * A thread opens and closes, and then closes, at another place, what another thread has opened under the same number and
 * handed to it; nobody misses it.
 * P that is never confirmed: silent. It looks exactly like a stale close, and is none.
 */
#include "../test.h"

static pthread_barrier_t turn;

static void *closer(void *arg)
{
    int fd = AT(100, open_null());
    CHECK(close(fd) == 0);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    CHECK(close(fd) == 0); /* now it is the opener's, and this thread has been asked to close it */
    return arg;
}

static void *opener(void *arg)
{
    pthread_barrier_wait(&turn);
    AT(100, open_null());
    pthread_barrier_wait(&turn);
    return arg;
}

int main(void)
{
    pthread_t one, two;
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&one, NULL, closer, NULL) == 0 && pthread_create(&two, NULL, opener, NULL) == 0);
    CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
    printf("ok\n");
    return 0;
}
