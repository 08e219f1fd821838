/*
 * A thread that holds no lock writes what others read under theirs: no reader can be caught at it, but the memory changed while
 * they had it locked.
 */
#include "../test.h"

struct table {
    pthread_rwlock_t lock;
    long entries[4];
};

static struct table *table;
static pthread_barrier_t barrier;

static void *change(void *unused)
{
    (void)unused;
    for (int i = 0; i < 8; i++) {
        pthread_barrier_wait(&barrier);
#ifndef CLEAN
        table->entries[3]++;
#endif
        pthread_barrier_wait(&barrier);
#ifdef CLEAN
        CHECK(pthread_rwlock_wrlock(&table->lock) == 0);
        table->entries[3]++;
        CHECK(pthread_rwlock_unlock(&table->lock) == 0);
#endif
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

int main(void)
{
    pthread_t thread;
    table = calloc(1, sizeof *table); /* allocated */
    CHECK(table && pthread_rwlock_init(&table->lock, NULL) == 0);
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, change, NULL) == 0);
    for (int i = 0; i < 8; i++) {
        CHECK(pthread_rwlock_rdlock(&table->lock) == 0); /* locked */
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        CHECK(pthread_rwlock_unlock(&table->lock) == 0);
        pthread_barrier_wait(&barrier);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(table->entries[3] == 8);
    free(table);
    puts("ok");
    return 0;
}
