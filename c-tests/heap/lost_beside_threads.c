/*
 * A block is lost while other threads wait and run: they are stopped for the look, so that it is proved.
 */
#include "../lost.h"

static pthread_barrier_t ready;

static void *waits(void *unused)
{
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    return unused;
}

static void *runs(void *unused)
{
    pthread_barrier_wait(&ready);
    for (;;)
        free(HIDDEN(malloc(100)));
    return unused;
}

static void *moves(void *unused)
{
    static char *volatile block;
    pthread_barrier_wait(&ready);
    for (size_t size = 1;; size = size * 7 % 100003 + 1)
        block = HIDDEN(realloc(block, size));
    return unused;
}

NOINLINE static void lose(void)
{
    LOSE(HIDDEN(malloc(24))); /* allocated */
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_barrier_init(&ready, NULL, 4) == 0);
    CHECK(pthread_create(&thread, NULL, waits, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, runs, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, moves, NULL) == 0);
    pthread_barrier_wait(&ready);
    lose();
    scrub();
    printf("ok\n");
    return 0;
}
