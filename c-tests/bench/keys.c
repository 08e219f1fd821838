/* Bench rows of the keys: see rows.h. Each loop uses one of eight keys, as a program does whose libraries have theirs. */
#include "rows.h"

#include <pthread.h>

static pthread_key_t keys[8];

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

static const struct row rows[] = {
    {"key-get", get, 30000000, 1, 0},
    {"key-set", set, 30000000, 1, 0},
    {"key-create+delete", create, 300000, 1, 0},
};

int main(int argc, char **argv)
{
    for (int i = 0; i < 8; i++)
        if (pthread_key_create(&keys[i], NULL) != 0)
            abort();
    if (pthread_setspecific(keys[5], keys) != 0)
        abort();
    return RUN_ROWS(argc, argv, rows, run_here);
}
