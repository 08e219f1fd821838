/* A writer asks for its own lock again. glibc refuses it with EDEADLK, and the program looks at the answer. */
#include "../test.h"

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

int main(void)
{
    CHECK(pthread_rwlock_wrlock(&table) == 0); /* locked */
#ifndef CLEAN
    CHECK(pthread_rwlock_wrlock(&table) == EDEADLK); /* here */
#endif
    CHECK(pthread_rwlock_trywrlock(&table) == EBUSY); /* what a try is for */
    CHECK(pthread_rwlock_unlock(&table) == 0);
    puts("ok");
    return 0;
}
