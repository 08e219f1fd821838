/* A reader wants to write: it waits for its own reading to end. `protect` answers EDEADLK. The clean twin lets go first. */
#include "../test.h"

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

int main(void)
{
    alarm(1);
    CHECK(pthread_rwlock_rdlock(&table) == 0); /* locked */
#ifndef CLEAN
    CHECK(pthread_rwlock_wrlock(&table) == EDEADLK); /* here */
#else
    CHECK(pthread_rwlock_unlock(&table) == 0);
    CHECK(pthread_rwlock_wrlock(&table) == 0);
#endif
    CHECK(pthread_rwlock_unlock(&table) == 0);
    puts("ok");
    return 0;
}
