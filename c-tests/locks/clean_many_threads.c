/* A thousand threads at a time on a hundred locks, each thread with several of them. */
#include "../test.h"

static pthread_mutex_t locks[100];
static long counts[100];

static void *worker(void *argument)
{
    unsigned seed = (unsigned)(long)argument;
    for (int i = 0; i < 50; i++) {
        int first = rand_r(&seed) % 60, second = first + 1 + rand_r(&seed) % 39;
        pthread_mutex_lock(&locks[first]);
        if (i % 5 == 0 && pthread_mutex_trylock(&locks[99]) == 0)
            pthread_mutex_unlock(&locks[99]);
        pthread_mutex_lock(&locks[second]);
        counts[second]++;
        /* Not in the reverse order. */
        pthread_mutex_unlock(&locks[first]);
        pthread_mutex_unlock(&locks[second]);
    }
    return NULL;
}

int main(void)
{
    enum { THREADS = 1000 };
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (int i = 0; i < 100; i++)
        pthread_mutex_init(&locks[i], NULL);
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], &attributes, worker, (void *)i) == 0);
    long sum = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 100; i++) {
        sum += counts[i];
        CHECK(pthread_mutex_destroy(&locks[i]) == 0);
    }
    CHECK(sum == 50 * THREADS);
    puts("ok");
    return 0;
}
