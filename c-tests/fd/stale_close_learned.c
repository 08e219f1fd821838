/*
 * A thread closes twice. The first time nobody is hurt; the second time another thread has taken the number in between.
 * C4: the pair of closes was seen as a double close before, so the one that hits the stranger is proved. protect
 * refuses it.
 */
#include "../test.h"
#include "../raw_syscall.h"

static pthread_barrier_t turn;

__attribute__((noinline)) static void finish(int fd)
{
    CHECK(close(fd) == 0); /* closed */
}

__attribute__((noinline)) static void again(int fd)
{
#ifndef CLEAN
    close(fd); /* here */
#else
    (void)fd;
#endif
}

static void *culprit(void *arg)
{
    for (int round = 0; round < 2; round++) {
        int fd = AT(100, open_null()); /* first */
        finish(fd);
        if (round == 1) {
            pthread_barrier_wait(&turn);
            pthread_barrier_wait(&turn);
        }
        again(fd);
    }
    return arg;
}

static void *victim(void *arg)
{
    pthread_barrier_wait(&turn);
    AT(100, open_null()); /* opened */
    pthread_barrier_wait(&turn);
    return arg;
}

int main(void)
{
    pthread_t one, two;
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&one, NULL, culprit, NULL) == 0 && pthread_create(&two, NULL, victim, NULL) == 0);
    CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
    printf("the victim's descriptor: %s\n", raw_is_open(100) ? "open" : "closed");
    printf("ok\n");
    return 0;
}
