/*
 * The program's own malloc makes a key when it is first called, and uses it at once: the first to call it may be the loader, in the
 * name of a library that looks for functions while it starts.
 */
#include "../pool.h"
#include "keys.h"

static pthread_key_t key;
static int has_key;

void *malloc(size_t size)
{
    if (!has_key) {
        has_key = 1;
        if (pthread_key_create(&key, NULL) != 0 || pthread_setspecific(key, pool) != 0 || pthread_getspecific(key) != pool)
            abort();
    }
    return pool_take(size);
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

void *realloc(void *block, size_t size)
{
    char *new = malloc(size);
    if (block && new)
        pool_copy(new, block, size);
    return new;
}

int main(void)
{
    char *volatile block = malloc(1);
    free(block);
    CHECK(pthread_getspecific(key) == pool);
    printf("ok\n");
    return 0;
}
