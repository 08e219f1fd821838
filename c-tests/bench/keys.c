/* Bench rows of the keys: as descriptors.c. Each loop uses one of eight keys, as a program does whose libraries have theirs. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_key_t keys[8];

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void get(long n)
{
    pthread_key_t key = keys[5];
    for (long i = 0; i < n; i++)
        if (pthread_getspecific(key) != keys)
            abort();
}

static void set(long n)
{
    pthread_key_t key = keys[5];
    for (long i = 0; i < n; i++)
        if (pthread_setspecific(key, keys) != 0)
            abort();
}

static void create(long n)
{
    pthread_key_t key;
    for (long i = 0; i < n; i++)
        if (pthread_key_create(&key, NULL) != 0 || pthread_key_delete(key) != 0)
            abort();
}

static const struct row {
    const char *name;
    void (*run)(long);
    long n;
} rows[] = {
    {"key-get", get, 30000000},
    {"key-set", set, 30000000},
    {"key-create+delete", create, 300000},
};

__attribute__((noinline)) static void deep(int depth, const struct row *r, long n)
{
    if (depth > 0)
        deep(depth - 1, r, n);
    else
        r->run(n);
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    for (int i = 0; i < 8; i++)
        if (pthread_key_create(&keys[i], NULL) != 0)
            abort();
    if (pthread_setspecific(keys[5], keys) != 0)
        abort();
    long divisor = 1;
    for (int i = 1; i < argc; i++) {
        if (atol(argv[i]) > 0)
            divisor = atol(argv[i]);
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            const struct row *r = &rows[k];
            if (strcmp(argv[i], r->name) != 0)
                continue;
            long n = r->n / divisor;
            deep(12, r, n / 20);
            double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
            deep(12, r, n);
            cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = now(CLOCK_MONOTONIC) - wall;
            printf("%s %.2f %.2f\n", r->name, cpu / n, wall / n);
        }
    }
    return 0;
}
