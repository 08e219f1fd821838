/* A spin lock is used after its destruction. */
#include "../test.h"

static pthread_spinlock_t spin;

int main(void)
{
    CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0); /* created */
    CHECK(pthread_spin_lock(&spin) == 0);
    CHECK(pthread_spin_unlock(&spin) == 0);
    CHECK(pthread_spin_destroy(&spin) == 0); /* deleted */
#ifdef CLEAN
    CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
#endif
    CHECK(pthread_spin_lock(&spin) == 0); /* here */
    CHECK(pthread_spin_unlock(&spin) == 0);
    puts("ok");
    return 0;
}
