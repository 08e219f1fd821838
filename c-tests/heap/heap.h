/*
 * What the tests of the heap share: blocks that the compiler knows nothing of.
 *
 * Comments mark the lines that findings name: `allocated`, `freed`, `here`. A program whose offence ends it by itself says so in
 * its .expect file (`native: SIGABRT`); it prints "ok" under protect.
 */
#ifndef HEAP_H
#define HEAP_H

#include "../test.h"
#include <malloc.h>
#include <stdint.h>

/* The same pointer, of which the compiler knows nothing any more: neither where it is from nor that it was freed. */
static inline void *opaque(const volatile void *pointer)
{
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return (void *)(uintptr_t)pointer;
}

/* A block, filled. A macro, so that its line is that of the caller. */
#define filled(size) ((char *)fill(malloc(size), (size)))

static inline void *fill(void *block, size_t size)
{
    CHECK(block);
    memset(block, 'x', size);
    return opaque(block);
}

#endif
