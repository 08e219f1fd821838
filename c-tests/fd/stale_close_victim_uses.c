/*
 * A thread closes twice; in between another thread has taken the number. Its next read fails.
 * P: the second close alone could be a hand-off; the victim's EBADF proves it. The thread that closed too much is to
 * blame, not the one that reads.
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
    char byte;
    pthread_barrier_wait(&turn);
    int fd = AT(100, open_null()); /* opened */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    ssize_t n = read(fd, &byte, 1); /* victim */
    printf("read: %zd\n", n);
#ifdef CLEAN
    close(fd);
#endif
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
