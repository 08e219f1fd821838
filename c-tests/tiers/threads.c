/* Threads that come and go, with blocks in a tier that others free, and key destructors that allocate there: nothing grows. */
#include "tiers.h"

#define THREADS 3000

APART static void *wanted(size_t size) { return opaque(malloc(size)); }
static pthread_key_t key;

static void at_end(void *value)
{
    char *block = wanted(700);
    *block = 1;
    free(block);
    free(value);
}

static void *short_life(void *unused)
{
    (void)unused;
    char *mine = wanted(3000);
    CHECK(pthread_setspecific(key, mine) == 0);
    char *handed = wanted(6000);
    memset(handed, 1, 6000);
    return handed;
}

static long resident(void)
{
    long pages = 0, size;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%ld %ld", &size, &pages) == 2);
    fclose(file);
    return pages * 4;
}

int main(void)
{
    CHECK(pthread_key_create(&key, at_end) == 0);
    long before = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        void *handed;
        CHECK(pthread_create(&thread, NULL, short_life, NULL) == 0);
        CHECK(pthread_join(thread, &handed) == 0);
        if (i < 10)
            PLACED(handed);
        free(handed);
        if (i == THREADS / 2)
            before = resident();
    }
    CHECK(resident() - before < 4096);
    printf("ok\n");
    return 0;
}
