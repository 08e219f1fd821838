/*
 * A counter that a lock protects is raised by threads that hold the lock for reading only: lock_watch=1 sees the change, aims a
 * watchpoint at the word, and catches the next write.
 */
#include "../test.h"
#include "../watchpoint.h"

struct table {
    pthread_rwlock_t lock;
    long entries[4];
    long lookups;
};

static struct table *table;

static void take(void)
{
#ifdef CLEAN
    CHECK(pthread_rwlock_wrlock(&table->lock) == 0);
#else
    CHECK(pthread_rwlock_rdlock(&table->lock) == 0); /* locked */
#endif
}

__attribute__((noinline)) static void count(long by)
{
    table->lookups += by; /* here */
}

static void *look_up(void *unused)
{
    (void)unused;
    for (int i = 1; i <= 6; i++) {
        take();
        count(i);
        CHECK(pthread_rwlock_unlock(&table->lock) == 0);
    }
    return NULL;
}

int main(void)
{
    NEEDS_WATCHPOINTS();
    table = calloc(1, sizeof *table); /* allocated */
    CHECK(table && pthread_rwlock_init(&table->lock, NULL) == 0);
    for (int i = 0; i < 2; i++)
        IN_THREAD(look_up, NULL);
    CHECK(table->lookups == 42);
    CHECK(pthread_rwlock_destroy(&table->lock) == 0);
    free(table);
    puts("ok");
    return 0;
}
