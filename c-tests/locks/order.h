/* Two locks, taken one inside the other. Order is a matter of the code: the threads run one after the other. */
#ifndef ORDER_H
#define ORDER_H
#include "../test.h"

struct pair {
    pthread_mutex_t *first, *second;
};

static inline void nest(pthread_mutex_t *outer, pthread_mutex_t *inner)
{
    CHECK(pthread_mutex_lock(outer) == 0);
    CHECK(pthread_mutex_lock(inner) == 0);
    CHECK(pthread_mutex_unlock(inner) == 0);
    CHECK(pthread_mutex_unlock(outer) == 0);
}

static void *nest_in_thread(void *of)
{
    struct pair *pair = of;
    nest(pair->first, pair->second);
    return NULL;
}

/* In a thread of its own. */
#define NEST(outer, inner) IN_THREAD(nest_in_thread, (&(struct pair){(outer), (inner)}))

#endif
