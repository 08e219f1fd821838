/*
 * A thread closes twice; in between another thread has taken the number. Its own close then fails.
 * P: the victim closes a number that it opened and never closed; that proves the earlier close to be wrong. To the
 * program the victim's close looks like the double close, and it must not be blamed.
 */
#include "../test.h"

static pthread_barrier_t turn;

static void *culprit(void *arg)
{
    int fd = AT(100, open_null());
    CHECK(close(fd) == 0); /* closed */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
#ifndef CLEAN
    CHECK(close(fd) == 0); /* here */
#endif
    pthread_barrier_wait(&turn);
    return arg;
}

static void *victim(void *arg)
{
    pthread_barrier_wait(&turn);
    int fd = AT(100, open_null()); /* opened */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    int result = close(fd); /* victim */
    printf("close: %d\n", result);
    return arg;
}

int main(void)
{
    pthread_t one, two;
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&one, NULL, culprit, NULL) == 0 && pthread_create(&two, NULL, victim, NULL) == 0);
    CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
    printf("ok\n");
    return 0;
}
