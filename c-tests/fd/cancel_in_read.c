/*
 * A thread is cancelled while it waits in read(); its cleanup handler closes the descriptor.
 * The hook is unwound, not returned from: silent, and the thread's close is a first close.
 */
#include "../test.h"

static int fds[2];
static pid_t waiting;
static pthread_barrier_t started;

static void cleanup(void *arg)
{
    (void)arg;
    CHECK(close(fds[0]) == 0);
}

static void *reader(void *arg)
{
    char byte;
    waiting = gettid();
    pthread_cleanup_push(cleanup, NULL);
    pthread_barrier_wait(&started);
    CHECK(read(fds[0], &byte, 1) == 99); /* never returns */
    pthread_cleanup_pop(1);
    return arg;
}

int main(void)
{
    pthread_t thread;
    void *result;
    pthread_barrier_init(&started, NULL, 2);
    CHECK(pipe(fds) == 0);
    CHECK(pthread_create(&thread, NULL, reader, NULL) == 0);
    pthread_barrier_wait(&started);
    until_blocked(waiting);
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    CHECK(close(fds[1]) == 0);
    printf("ok\n");
    return 0;
}
