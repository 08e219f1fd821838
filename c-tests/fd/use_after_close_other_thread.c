/*
 * main closes a pipe that a reader thread still reads from.
 * The reader held the descriptor, main opened it and so may close it: use after close, no stale close.
 */
#include "../test.h"

static int fds[2];
static pthread_barrier_t turn;

static void *reader(void *arg)
{
    char byte;
    CHECK(read(100, &byte, 1) == 1);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
#ifndef CLEAN
    CHECK(read(100, &byte, 1) == -1 && errno == EBADF); /* here */
#endif
    return arg;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pipe(fds) == 0);
    CHECK(dup2(fds[0], 100) == 100); /* opened */
    CHECK(write(fds[1], "xx", 2) == 2);
    CHECK(pthread_create(&thread, NULL, reader, NULL) == 0);
    pthread_barrier_wait(&turn);
    CHECK(close(100) == 0); /* closed */
    pthread_barrier_wait(&turn);
    CHECK(pthread_join(thread, NULL) == 0);
    close(fds[0]);
    close(fds[1]);
    printf("ok\n");
    return 0;
}
