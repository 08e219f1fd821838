/* A spin lock is unlocked twice. glibc says 0. */
#include "../test.h"

static pthread_spinlock_t spin;

int main(void)
{
    CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
    CHECK(pthread_spin_lock(&spin) == 0);
    CHECK(pthread_spin_unlock(&spin) == 0);
#ifndef CLEAN
    CHECK(pthread_spin_unlock(&spin) == 0); /* here */
#endif
    puts("ok");
    return 0;
}
