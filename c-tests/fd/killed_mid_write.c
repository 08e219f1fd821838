/*
 * Two threads open and close without pause, so that the recording is being written to, when SIGKILL comes; before that, one
 * of them has closed twice a thousand times.
 * C1: what was found before is whole and is read back.
 */
#include "../test.h"
#include <stdatomic.h>

static pthread_barrier_t found;
static atomic_long churned;

static void *worker(void *null)
{
    for (int i = 0; i < 1000; i++) {
        int fd = dup2(*(int *)null, 100); /* opened */
        close(fd);                        /* closed */
#ifndef CLEAN
        close(fd); /* here */
#endif
    }
    pthread_barrier_wait(&found);
    for (;; churned++)
        close(dup2(*(int *)null, 200));
    return NULL;
}

static void *other(void *null)
{
    for (;; churned++)
        close(dup2(*(int *)null, 300));
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    int null = open_null();
    pthread_barrier_init(&found, NULL, 2);
    CHECK(pthread_create(&threads[0], NULL, worker, &null) == 0);
    CHECK(pthread_create(&threads[1], NULL, other, &null) == 0);
    pthread_barrier_wait(&found);
    while (churned < 20000)
        sched_yield();
    printf("ok\n");
    fflush(stdout);
    kill(getpid(), SIGKILL);
    return 1;
}
