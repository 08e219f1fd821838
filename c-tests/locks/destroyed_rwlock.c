/*
 * A reader-writer lock in static memory is used after its destruction. glibc notices nothing; the first
 * use is told. The clean twin makes it anew first.
 */
#include "../test.h"

static pthread_rwlock_t table;

int main(void)
{
    CHECK(pthread_rwlock_init(&table, NULL) == 0); /* created */
    CHECK(pthread_rwlock_wrlock(&table) == 0);
    CHECK(pthread_rwlock_unlock(&table) == 0);
    CHECK(pthread_rwlock_destroy(&table) == 0); /* deleted */
#ifdef CLEAN
    CHECK(pthread_rwlock_init(&table, NULL) == 0);
#endif
    CHECK(pthread_rwlock_rdlock(&table) == 0); /* here */
    CHECK(pthread_rwlock_unlock(&table) == 0);
    puts("ok");
    return 0;
}
