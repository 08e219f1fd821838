/* A barrier is destroyed twice. */
#include "../test.h"

static pthread_barrier_t all;

int main(void)
{
    CHECK(pthread_barrier_init(&all, NULL, 1) == 0); /* created */
    CHECK(pthread_barrier_wait(&all) == PTHREAD_BARRIER_SERIAL_THREAD);
    CHECK(pthread_barrier_destroy(&all) == 0); /* deleted */
#ifndef CLEAN
    pthread_barrier_destroy(&all); /* here */
#endif
    puts("ok");
    return 0;
}
