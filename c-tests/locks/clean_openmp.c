/* OpenMP: critical sections and locks, which libgomp makes of futexes, beside mutexes in parallel regions. */
#include "../test.h"
#include <omp.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int main(void)
{
    long critical = 0, locked = 0, plain = 0, reduced = 0;
    omp_lock_t lock;
    omp_nest_lock_t nested;
    omp_init_lock(&lock);
    omp_init_nest_lock(&nested);
#pragma omp parallel for num_threads(4) reduction(+ : reduced)
    for (int i = 0; i < 2000; i++) {
#pragma omp critical
        critical++;
        omp_set_lock(&lock);
        locked++;
        omp_unset_lock(&lock);
        omp_set_nest_lock(&nested);
        omp_set_nest_lock(&nested);
        omp_unset_nest_lock(&nested);
        omp_unset_nest_lock(&nested);
        pthread_mutex_lock(&mutex);
        plain++;
        pthread_mutex_unlock(&mutex);
        reduced++;
    }
    omp_destroy_nest_lock(&nested);
    omp_destroy_lock(&lock);
    CHECK(critical == 2000 && locked == 2000 && plain == 2000 && reduced == 2000);
    puts("ok");
    return 0;
}
