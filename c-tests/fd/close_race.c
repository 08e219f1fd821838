/*
 * Two threads close the same number at the same time, a thousand times over; in each round one of them gets EBADF.
 * C1: whoever loses, it is one finding per round, never none and never two.
 */
#include "../test.h"
#include <stdatomic.h>

enum { ROUNDS = 1000 };
static pthread_barrier_t round_begins, round_ends;
static atomic_int refused;

static void *closer(void *second)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&round_begins);
#ifdef CLEAN
        if (!second)
#endif
            if (close(100) != 0) /* here */
                refused++;
        pthread_barrier_wait(&round_ends);
    }
    return second;
}

int main(void)
{
    pthread_t threads[2];
    pthread_barrier_init(&round_begins, NULL, 3);
    pthread_barrier_init(&round_ends, NULL, 3);
    CHECK(pthread_create(&threads[0], NULL, closer, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, closer, threads) == 0);
    int null = open_null();
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(dup2(null, 100) == 100); /* opened */
        pthread_barrier_wait(&round_begins);
        pthread_barrier_wait(&round_ends);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    close(null);
    printf("refused: %d\nok\n", refused);
    return 0;
}
