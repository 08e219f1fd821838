/*
 * What a mutex protects may change while a lock beside it is held for reading; and so may the locks themselves: mutex, condition
 * variable, semaphore and spin lock. Of the counters it is recorded, as information; of the locks nothing is.
 */
#include "../test.h"
#include "../watchpoint.h"
#include <semaphore.h>

struct object {
    pthread_rwlock_t lock;
    pthread_mutex_t mutex;
    long statistics;
};

static struct object *object;

__attribute__((noinline)) static void count(void)
{
    CHECK(pthread_mutex_lock(&object->mutex) == 0);
    object->statistics++; /* here */
    CHECK(pthread_mutex_unlock(&object->mutex) == 0);
}

int main(void)
{
    NEEDS_WATCHPOINTS();
    object = calloc(1, sizeof *object); /* allocated */
    CHECK(object && pthread_rwlock_init(&object->lock, NULL) == 0);
    CHECK(pthread_mutex_init(&object->mutex, NULL) == 0);
    for (int i = 0; i < 40; i++) {
        CHECK(pthread_rwlock_rdlock(&object->lock) == 0); /* locked */
        count();
        CHECK(pthread_rwlock_unlock(&object->lock) == 0);
    }
    free(object);
    puts("ok");
    return 0;
}
