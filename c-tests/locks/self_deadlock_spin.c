/* A thread spins for a lock that it has. */
#include "../test.h"

static pthread_spinlock_t spin;

int main(void)
{
    alarm(1);
    CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
    CHECK(pthread_spin_lock(&spin) == 0); /* locked */
#ifndef CLEAN
    CHECK(pthread_spin_lock(&spin) == EDEADLK); /* here */
#endif
    CHECK(pthread_spin_trylock(&spin) == EBUSY);
    CHECK(pthread_spin_unlock(&spin) == 0);
    puts("ok");
    return 0;
}
