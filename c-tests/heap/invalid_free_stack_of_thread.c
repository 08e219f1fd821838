/*
 * A variable of another thread's function is freed.
 */
#include "heap.h"

static char *theirs;
static pthread_barrier_t ready, done;

static void *lender(void *nothing)
{
    _Alignas(16) char lent[64];
    memset(opaque(lent), 0x18, sizeof lent);
    free(malloc(1)); /* known to us from now on */
    theirs = lent + 16;
    pthread_barrier_wait(&ready);
    pthread_barrier_wait(&done);
    return nothing;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_barrier_init(&ready, NULL, 2) == 0 && pthread_barrier_init(&done, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, lender, NULL) == 0);
    pthread_barrier_wait(&ready);
#ifndef CLEAN
    free(opaque(theirs)); /* here */
#endif
    pthread_barrier_wait(&done);
    pthread_join(thread, NULL);
    printf("ok\n");
    return 0;
}
