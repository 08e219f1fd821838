/*
 * For programs that have a malloc of their own: a pool from which blocks are taken one after the other, and none is used twice. Each has
 * its size in front.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>
#include <string.h>

static _Alignas(16) char pool[4 << 20];

static inline void *pool_take(size_t size)
{
    static size_t used;
    size_t at = __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);
    if (at + size + 32 > sizeof pool)
        return NULL;
    *(size_t *)(pool + at) = size;
    return pool + at + 16;
}

static inline int pool_has(const void *block)
{
    return (const char *)block >= pool && (const char *)block < pool + sizeof pool;
}

/* What of the old block fits into the new one. */
static inline void pool_copy(void *new, const void *block, size_t size)
{
    size_t old = *(const size_t *)((const char *)block - 16);
    memcpy(new, block, old < size ? old : size);
}

#endif
