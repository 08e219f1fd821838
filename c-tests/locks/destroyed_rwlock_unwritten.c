/*
 * As destroyed_rwlock, but nobody has written under it: all its bytes are zero, then and now, and an initialiser that is assigned to
 * it would leave the same. So it is suspected. On the heap, where all memory is somebody's anew now and then, nothing is said.
 */
#include "../test.h"

static pthread_rwlock_t table;

int main(void)
{
    pthread_rwlock_t *lock = &table;
#ifdef CLEAN
    CHECK(lock = calloc(1, sizeof *lock));
#endif
    CHECK(pthread_rwlock_init(lock, NULL) == 0); /* created */
    CHECK(pthread_rwlock_rdlock(lock) == 0);
    CHECK(pthread_rwlock_unlock(lock) == 0);
    CHECK(pthread_rwlock_destroy(lock) == 0); /* deleted */
    CHECK(pthread_rwlock_rdlock(lock) == 0);  /* here */
    CHECK(pthread_rwlock_unlock(lock) == 0);
    puts("ok");
    return 0;
}
