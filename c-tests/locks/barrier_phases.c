/* Threads meet at a barrier, phase by phase; one of them is told that it was the last, which is no error. */
#include "../test.h"

enum { THREADS = 3, PHASES = 200 };

static pthread_barrier_t all;
static _Atomic int lasts;

static void *worker(void *unused)
{
    for (int i = 0; i < PHASES; i++) {
        int answer = pthread_barrier_wait(&all);
        CHECK(answer == 0 || answer == PTHREAD_BARRIER_SERIAL_THREAD);
        lasts += answer != 0;
    }
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    CHECK(pthread_barrier_init(&all, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(lasts == PHASES);
    CHECK(pthread_barrier_destroy(&all) == 0);
    puts("ok");
    return 0;
}
