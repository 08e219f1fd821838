/*
 * A reader-writer lock on the heap is used after its destruction, with the bytes that it had then. In the clean twin the memory has
 * become another lock's, by a static initialiser, as in a std::shared_mutex: no call has told of it.
 */
#include "../test.h"

int main(void)
{
    pthread_rwlock_t *lock = malloc(sizeof *lock);
    CHECK(lock);
    CHECK(pthread_rwlock_init(lock, NULL) == 0); /* created */
    CHECK(pthread_rwlock_wrlock(lock) == 0);
    CHECK(pthread_rwlock_unlock(lock) == 0);
    CHECK(pthread_rwlock_destroy(lock) == 0); /* deleted */
#ifdef CLEAN
    *lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
#endif
    CHECK(pthread_rwlock_wrlock(lock) == 0); /* here */
    CHECK(pthread_rwlock_unlock(lock) == 0);
    puts("ok");
    return 0;
}
