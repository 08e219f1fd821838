/*
 * A reference count in an object that is locked for reading is changed by atomic instructions: as it should be. Recorded as
 * information, and not shown. Where there are no watchpoints it is a suspect: the change alone does not tell what made it.
 */
#include "../test.h"
#include "../watchpoint.h"
#include <stdatomic.h>

struct object {
    pthread_rwlock_t lock;
    atomic_long references;
};

static struct object *object;

__attribute__((noinline)) static void refer(void)
{
    atomic_fetch_add(&object->references, 1); /* here */
}

int main(void)
{
    NEEDS_WATCHPOINTS();
    object = calloc(1, sizeof *object); /* allocated */
    CHECK(object && pthread_rwlock_init(&object->lock, NULL) == 0);
    for (int i = 0; i < 40; i++) {
        CHECK(pthread_rwlock_rdlock(&object->lock) == 0); /* locked */
        refer();
        CHECK(pthread_rwlock_unlock(&object->lock) == 0);
    }
    CHECK(object->references == 40);
    free(object);
    puts("ok");
    return 0;
}
