/*
 * As stale_close_learned.c, with sockets that get their numbers from the kernel.
 * C4 in observe. Under protect the number is in quarantine, the victim's socket gets another one, and both second closes
 * are double closes (C1).
 */
#include "../test.h"
#include "../raw_syscall.h"

static pthread_barrier_t turn;
static int victims;

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

__attribute__((noinline)) static void transaction(int round)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* first */
    finish(fd);
    if (round == 1) {
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
    }
    again(fd);
}

static void *culprit(void *arg)
{
    /* One place in the machine code too: a loop that the compiler unrolls would be two. */
    for (volatile int round = 0; round < 2; round++)
        transaction(round);
    return arg;
}

static void *victim(void *arg)
{
    pthread_barrier_wait(&turn);
    victims = socket(AF_INET, SOCK_STREAM, 0); /* opened */
    pthread_barrier_wait(&turn);
    return arg;
}

int main(void)
{
    pthread_t one, two;
    int low = open_null();
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&one, NULL, culprit, NULL) == 0 && pthread_create(&two, NULL, victim, NULL) == 0);
    CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
    printf("the victim's socket: %s\n", raw_is_open(victims) ? "open" : "closed");
    close(low);
    printf("ok\n");
    return 0;
}
