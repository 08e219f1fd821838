/*
 * A thread closes twice and hits a second thread's descriptor; a third thread is given the number; the second thread closes
 * what it thinks is its own, and hits the third.
 * P, confirmed by a close that succeeds: the second thread is a victim, the first is to blame. protect refuses the close
 * that would have hit the third.
 */
#include "../test.h"
#include "../raw_syscall.h"

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

static void *third(void *arg)
{
    AT(arg ? 100 : 101, open_null());
    return arg;
}

static void *victim(void *arg)
{
    pthread_barrier_wait(&turn);
    int fd = AT(100, open_null()); /* opened */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
#ifndef CLEAN
    IN_THREAD(third, &turn);
#else
    IN_THREAD(third, NULL);
#endif
    close(fd); /* victim */
    return arg;
}

int main(void)
{
    pthread_t one, two;
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&one, NULL, culprit, NULL) == 0 && pthread_create(&two, NULL, victim, NULL) == 0);
    CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
    printf("the third thread's descriptor: %s\n", raw_is_open(100) || raw_is_open(101) ? "open" : "closed");
    printf("ok\n");
    return 0;
}
