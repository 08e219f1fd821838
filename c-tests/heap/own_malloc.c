/*
 * The program has a malloc of its own, which it exports: libc and everybody call it, and we see nothing of its heap. That is said
 * when the heap was asked for, and reallocarray, which the program lacks, ends in its realloc, not in libc's.
 */
#include "../pool.h"
#include "heap.h"

static volatile int live; /* libc calls us behind the back of the compiler */

void *malloc(size_t size)
{
    void *block = pool_take(size);
    if (block)
        live++;
    return block;
}

void free(void *block)
{
    if (!block)
        return;
    if (!pool_has(block))
        abort();
    live--;
}

void *calloc(size_t count, size_t size)
{
    /* The pool is never used twice. */
    return malloc(count * size);
}

void *realloc(void *block, size_t size)
{
    char *new = malloc(size);
    if (block && new) {
        pool_copy(new, block, size);
        free(block);
    }
    return new;
}

int main(void)
{
    int before = live;
    char *block = strdup("a string");
    CHECK(live == before + 1);
    block = reallocarray(block, 10, 20);
    CHECK(live == before + 1 && strcmp(block, "a string") == 0);
    free(block);
    CHECK(live == before);
    printf("ok\n");
    return 0;
}
