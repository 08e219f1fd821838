/*
 * The second lock fails, nobody looks, and the inner unlock gives away what the outer one believes to have: the unlock too many
 * proves it. The clean twin looks at the answer, and unlocks once.
 */
#include "../test.h"

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

__attribute__((noinline)) static int inner(void)
{
    int error = pthread_rwlock_wrlock(&table); /* here */
#ifdef CLEAN
    if (error)
        return error;
#endif
    pthread_rwlock_unlock(&table);
    return error;
}

int main(void)
{
#ifndef CLEAN
    CHECK(pthread_rwlock_wrlock(&table) == 0); /* locked */
    inner();
    CHECK(pthread_rwlock_unlock(&table) == 0); /* victim */
#else
    CHECK(inner() == 0);
    CHECK(pthread_rwlock_wrlock(&table) == 0);
    CHECK(pthread_rwlock_unlock(&table) == 0);
#endif
    puts("ok");
    return 0;
}
