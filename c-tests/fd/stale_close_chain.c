/*
 * A thread closes twice and hits a second thread's descriptor; a third thread is given the number; the second thread closes
 * what it thinks is its own, and hits the third, whose next read fails.
 * P, confirmed at the end of the chain: the second thread's close succeeds, and alone it could be a hand-off
 * (hand_off_both_ways.c); the third's EBADF proves it. The second thread is a victim, the first is to blame.
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
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return arg;
}

static void *victim(void *arg)
{
    pthread_barrier_wait(&turn);
    int fd = AT(100, open_null()); /* opened */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    CHECK(close(fd) == 0); /* victim */
    pthread_barrier_wait(&turn);
    return arg;
}

static void *third(void *arg)
{
    char byte;
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
#ifndef CLEAN
    int fd = AT(100, open_null());
#else
    int fd = AT(101, open_null());
#endif
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    ssize_t n = read(fd, &byte, 1);
    printf("read: %zd\n", n);
#ifdef CLEAN
    close(fd);
#endif
    return arg;
}

int main(void)
{
    pthread_t threads[3];
    pthread_barrier_init(&turn, NULL, 3);
    CHECK(pthread_create(&threads[0], NULL, culprit, NULL) == 0 && pthread_create(&threads[1], NULL, victim, NULL) == 0);
    CHECK(pthread_create(&threads[2], NULL, third, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("ok\n");
    return 0;
}
