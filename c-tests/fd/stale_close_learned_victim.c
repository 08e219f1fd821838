/*
 * As stale_close_learned.c, and then the victim uses its descriptor.
 * C4, and the victim's EBADF does not make it a culprit: the same stale close is named again, now with its victim. protect
 * has refused the close, and the victim's write goes well.
 */
#include "../test.h"

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
    pthread_barrier_wait(&turn);
    return arg;
}

static void *victim(void *arg)
{
    pthread_barrier_wait(&turn);
    int fd = AT(100, open_null()); /* opened */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    ssize_t n = write(fd, "x", 1); /* victim */
    printf("write: %zd\n", n);
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
