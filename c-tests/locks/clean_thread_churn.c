/* Forty thousand threads, each of which takes locks of all kinds: nothing is said, and nothing of ours grows. */
#include "../test.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long count;

static void *worker(void *unused)
{
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    pthread_mutex_lock(&mutex);
    count++;
    pthread_mutex_unlock(&mutex);
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_unlock(&own);
    return unused;
}

static long resident(void)
{
    long all, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%ld %ld", &all, &resident) == 2);
    fclose(file);
    return resident * 4;
}

int main(void)
{
    enum { AT_ONCE = 10 };
    long before = 0;
    alarm(110);
    for (int round = 0; round < 4000; round++) {
        pthread_t threads[AT_ONCE];
        if (round == 1000)
            before = resident();
        for (int i = 0; i < AT_ONCE; i++)
            CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
        for (int i = 0; i < AT_ONCE; i++)
            pthread_join(threads[i], NULL);
    }
    CHECK(count == 40000);
    long grown = resident() - before;
    if (grown >= 2048)
        fprintf(stderr, "grown by %ld KiB\n", grown);
    CHECK(grown < 2048);
    puts("ok");
    return 0;
}
