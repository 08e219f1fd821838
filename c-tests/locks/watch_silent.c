/*
 * Readers and writers that keep to the rules: nested readers, readers in several threads, a writer between them, a lock in a block
 * that is larger than what is looked at, one that is freed and allocated again, locks in the block, and one that is in no block.
 */
#include "../test.h"
#include <semaphore.h>

enum { ROUNDS = 2000 };

struct object {
    pthread_rwlock_t lock;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    sem_t semaphore;
    pthread_spinlock_t spin;
    long value[200];
};

static struct object *object;
static struct object no_block = { .lock = PTHREAD_RWLOCK_INITIALIZER };

static struct object *make(void)
{
    struct object *o = calloc(1, sizeof *o);
    CHECK(o && pthread_rwlock_init(&o->lock, NULL) == 0 && pthread_mutex_init(&o->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&o->cond, NULL) == 0 && sem_init(&o->semaphore, 0, 0) == 0);
    CHECK(pthread_spin_init(&o->spin, PTHREAD_PROCESS_PRIVATE) == 0);
    return o;
}

static void read_it(struct object *o)
{
    CHECK(pthread_rwlock_rdlock(&o->lock) == 0);
    long sum = o->value[0];
    CHECK(pthread_rwlock_rdlock(&o->lock) == 0);
    sum += o->value[1];
    CHECK(pthread_rwlock_unlock(&o->lock) == 0);
    CHECK(pthread_mutex_lock(&o->mutex) == 0);
    CHECK(pthread_cond_broadcast(&o->cond) == 0);
    CHECK(pthread_mutex_unlock(&o->mutex) == 0);
    CHECK(sum == 2 * o->value[0]);
    CHECK(pthread_rwlock_unlock(&o->lock) == 0);
}

static void write_it(struct object *o)
{
    CHECK(pthread_rwlock_wrlock(&o->lock) == 0);
    o->value[0]++;
    o->value[1]++;
    CHECK(pthread_rwlock_unlock(&o->lock) == 0);
}

static void *work(void *argument)
{
    long number = (long)argument;
    for (long i = 0; i < ROUNDS; i++) {
        read_it(object);
        read_it(&no_block);
        if (i % 8 == number) {
            write_it(object);
            write_it(&no_block);
        }
        struct object *own = make();
        read_it(own);
        write_it(own);
        read_it(own);
        free(own);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[4];
    object = make();
    CHECK(pthread_mutex_init(&no_block.mutex, NULL) == 0);
    for (long i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(object->value[0] == 4 * ROUNDS / 8);
    free(object);
    puts("ok");
    return 0;
}
