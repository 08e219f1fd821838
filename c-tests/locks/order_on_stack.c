/*
 * Locks on the stack end with their function, and no call says so: only those that pthread_mutex_init has made are followed.
 */
#include "order.h"

static void *frame(void *swap)
{
    struct {
        pthread_mutex_t low, high;
    } locks = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
#ifndef CLEAN
    CHECK(pthread_mutex_init(&locks.low, NULL) == 0);
    CHECK(pthread_mutex_init(&locks.high, NULL) == 0);
    NEST(&locks.low, &locks.high);
#endif
    if (swap)
        NEST(&locks.high, &locks.low);
    else
        NEST(&locks.low, &locks.high);
    return NULL;
}

int main(void)
{
    frame(NULL);
    frame(&frame);
    IN_THREAD(frame, NULL);
    IN_THREAD(frame, NULL);
    puts("ok");
    return 0;
}
