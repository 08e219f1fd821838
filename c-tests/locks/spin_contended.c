/* Two threads want one spin lock all the time. */
#include "../test.h"

static pthread_spinlock_t spin;
static long count;

static void *worker(void *unused)
{
    for (int i = 0; i < 200000; i++) {
        CHECK(pthread_spin_lock(&spin) == 0);
        count++;
        CHECK(pthread_spin_unlock(&spin) == 0);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    CHECK(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(count == 400000);
    CHECK(pthread_spin_destroy(&spin) == 0);
    puts("ok");
    return 0;
}
