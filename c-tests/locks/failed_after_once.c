/*
 * Where a lock was taken is told of that lock: not of what the thread had before it, which was a routine of pthread_once with
 * a stack of its own, as samba begins.
 */
#include "../test.h"

static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int made;

static void make(void)
{
    made++;
}

int main(void)
{
    CHECK(pthread_once(&once, make) == 0 && made == 1);
    CHECK(pthread_rwlock_wrlock(&table) == 0); /* locked */
#ifndef CLEAN
    CHECK(pthread_rwlock_wrlock(&table) == EDEADLK); /* here */
#endif
    CHECK(pthread_rwlock_unlock(&table) == 0);
    puts("ok");
    return 0;
}
