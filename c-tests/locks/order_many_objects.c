/* A lock over a table, and one in each of its objects: more than the graph has room for, and more than once. */
#include "order.h"

enum { OBJECTS = 20000 };
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static struct object {
    pthread_mutex_t lock;
    int value;
} *objects[OBJECTS];

static void *all(void *unused)
{
    for (int i = 0; i < OBJECTS; i++)
        nest(&table, &objects[i]->lock);
    return unused;
}

int main(void)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            CHECK((objects[i] = calloc(1, sizeof *objects[i])) != NULL);
            CHECK(pthread_mutex_init(&objects[i]->lock, NULL) == 0);
        }
        IN_THREAD(all, NULL);
        IN_THREAD(all, NULL);
        for (int i = 0; i < OBJECTS; i++) {
            CHECK(pthread_mutex_destroy(&objects[i]->lock) == 0);
            free(objects[i]);
        }
    }
#ifndef CLEAN
    /* There is room again. */
    static pthread_mutex_t last = PTHREAD_MUTEX_INITIALIZER;
    NEST(&last, &table);
    NEST(&table, &last);
#endif
    puts("ok");
    return 0;
}
