/* Calls that fail for what they are asked for: a barrier of nobody, a semaphore beyond its limit. */
#include "../test.h"
#include <limits.h>
#include <semaphore.h>

int main(void)
{
    pthread_barrier_t all;
    sem_t slots;
#ifndef CLEAN
    CHECK(pthread_barrier_init(&all, NULL, 0) == EINVAL);                     /* here */
    CHECK(sem_init(&slots, 0, (unsigned)SEM_VALUE_MAX + 1) == -1 && errno == EINVAL); /* here */
    CHECK(sem_init(&slots, 0, SEM_VALUE_MAX) == 0);
    CHECK(sem_post(&slots) == -1 && errno == EOVERFLOW); /* here */
#else
    CHECK(pthread_barrier_init(&all, NULL, 1) == 0);
    CHECK(pthread_barrier_wait(&all) == PTHREAD_BARRIER_SERIAL_THREAD);
    CHECK(pthread_barrier_destroy(&all) == 0);
    CHECK(sem_init(&slots, 0, SEM_VALUE_MAX - 1) == 0);
    CHECK(sem_post(&slots) == 0);
#endif
    CHECK(sem_destroy(&slots) == 0);
    puts("ok");
    return 0;
}
