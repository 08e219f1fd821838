/*
 * The capture system's destructor: the second lock fails, the destructor goes home, and its caller, which has the lock, lets it go and
 * takes it again, as if nothing had happened. That is evidence, and no proof: a caller that looked at the answer would do the same.
 */
#include "../test.h"

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

__attribute__((noinline)) static void destroy(void)
{
    if (pthread_rwlock_wrlock(&table) != 0) /* here */
        return;
    pthread_rwlock_unlock(&table);
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_rwlock_wrlock(&table) == 0); /* locked */
#ifndef CLEAN
        destroy();
#endif
        CHECK(pthread_rwlock_unlock(&table) == 0); /* victim */
#ifdef CLEAN
        destroy();
#endif
    }
    puts("ok");
    return 0;
}
