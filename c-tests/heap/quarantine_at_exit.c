/*
 * Freed blocks are written to and never leave the quarantine: found at exit, in what this thread holds, in what a thread that has
 * ended has left, and in what one that still runs holds.
 */
#include "poke.h"

static pthread_barrier_t freed;

static void *free_here(void *block)
{
    free(block); /* freed */
    return NULL;
}

static void *free_and_stay(void *block)
{
    free(block); /* freed */
    pthread_barrier_wait(&freed);
    for (;;)
        pause();
    return NULL;
}

int main(void)
{
    char *own = FILLED(32); /* allocated */
    free(own); /* freed */

    char *ended = FILLED(50000); /* allocated */
    IN_THREAD(free_here, ended);

    char *stays = FILLED(64); /* allocated */
    pthread_t thread;
    pthread_barrier_init(&freed, NULL, 2);
    CHECK(pthread_create(&thread, NULL, free_and_stay, stays) == 0);
    pthread_barrier_wait(&freed);
#ifndef CLEAN
    poke(own, 31, 0);
    poke(ended, 49999, 'e');
    poke(stays, 0, 's');
#endif
    printf("ok\n");
    return 0;
}
