/*
 * Objects with a lock that nobody initialises or destroys by a call, as std::mutex is. Their memory is given back and handed
 * out again: the two locks of the first round and those of the second lie at the same addresses, and are other locks.
 */
#include "order.h"

struct object {
    char before[40];
    pthread_mutex_t lock;
};

static struct object *made(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
    struct object *object = malloc(sizeof *object);
    CHECK(object != NULL);
    memcpy(&object->lock, &unlocked, sizeof unlocked);
    return object;
}

int main(void)
{
    struct object *first = made(), *second = made();
    NEST(&first->lock, &second->lock);
#ifdef CLEAN
    for (int round = 0; round < 1000; round++) {
        struct object *kept = first;
        free(second);
        free(first);
        first = made();
        second = made();
        if (round % 3 == 0) {
            struct object *other = realloc(first, 100000);
            CHECK(other != NULL);
            free(other);
            first = made();
        }
        if (kept == second || round % 2 == 0)
            NEST(&second->lock, &first->lock);
        else
            NEST(&first->lock, &second->lock);
    }
#else
    NEST(&second->lock, &first->lock);
#endif
    free(first);
    free(second);
    puts("ok");
    return 0;
}
