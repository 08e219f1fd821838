/*
 * As stale_close_victim_uses.c, with sockets that get their numbers from the kernel.
 * P in observe. Under protect the number is in quarantine, the victim's socket gets another and is never hit; the second
 * close is a double close (C1).
 */
#include "../test.h"

static pthread_barrier_t turn;

static void *culprit(void *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* first */
    CHECK(close(fd) == 0);                    /* closed */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
#ifndef CLEAN
    close(fd); /* here */
#endif
    pthread_barrier_wait(&turn);
    return arg;
}

static void *victim(void *arg)
{
    pthread_barrier_wait(&turn);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* opened */
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    ssize_t n = send(fd, "x", 1, MSG_NOSIGNAL); /* victim */
    CHECK(n == -1);
    printf("send: %s\n", errno == EBADF ? "EBADF" : "ENOTCONN or EPIPE");
#ifdef CLEAN
    close(fd);
#endif
    return arg;
}

int main(void)
{
    pthread_t one, two;
    int low = open_null();
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&one, NULL, culprit, NULL) == 0 && pthread_create(&two, NULL, victim, NULL) == 0);
    CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
    close(low);
    printf("ok\n");
    return 0;
}
