/*
 * The program has a malloc of its own, which it exports: libc and everybody call it, and we see nothing of its heap. That is said
 * when the heap was asked for, and reallocarray, which the program lacks, ends in its realloc, not in libc's.
 */
#include "heap.h"

static _Alignas(16) char pool[4 << 20];
static size_t used;
static volatile int live; /* libc calls us behind the back of the compiler */

void *malloc(size_t size)
{
    size_t at = __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);
    if (at + size + 32 > sizeof pool)
        return NULL;
    *(size_t *)(pool + at) = size;
    live++;
    return pool + at + 16;
}

void free(void *block)
{
    if (!block)
        return;
    if ((char *)block < pool || (char *)block >= pool + sizeof pool)
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
        size_t old = ((size_t *)block)[-2];
        memcpy(new, block, old < size ? old : size);
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
