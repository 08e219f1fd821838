/*
 * Forty threads with an epoll and a wake-up pipe of their own, all from one place: a design, not a leak.
 */
#include "../leak.h"
#include <sys/epoll.h>

static pthread_barrier_t gate;

static void *worker(void *arg)
{
    int ends[2];
    (void)arg;
    CHECK(epoll_create1(0) >= 0);
    CHECK(pipe(ends) == 0);
    pthread_barrier_wait(&gate);
    return NULL;
}

int main(void)
{
    pthread_t threads[40];
    pthread_barrier_init(&gate, NULL, 41);
    for (int i = 0; i < 40; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    pthread_barrier_wait(&gate);
    for (int i = 0; i < 40; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("ok\n");
    return 0;
}
