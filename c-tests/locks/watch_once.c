/*
 * Written under a read lock once, and never again: nobody can be caught at it, and it is told at the end.
 */
#include "../test.h"

struct table {
    pthread_rwlock_t lock;
    long entries[4];
};

int main(void)
{
    struct table *table = calloc(1, sizeof *table); /* allocated */
    CHECK(table && pthread_rwlock_init(&table->lock, NULL) == 0);
#ifdef CLEAN
    CHECK(pthread_rwlock_wrlock(&table->lock) == 0);
#else
    CHECK(pthread_rwlock_rdlock(&table->lock) == 0); /* locked */
#endif
    table->entries[1] = 0x1234;
    CHECK(pthread_rwlock_unlock(&table->lock) == 0);
    free(table);
    puts("ok");
    return 0;
}
