/*
 * What the tests of redzones, quarantine and guard pages share: writes and reads that the compiler knows nothing of.
 *
 * The comments `allocated`, `freed` and `here` mark the lines that findings name.
 */
#ifndef POKE_H
#define POKE_H

#include "../test.h"
#include <malloc.h>
#include <stdint.h>

static inline char *hidden(void *block)
{
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

/* Functions, so that a fault has a line of its own: `poke:N`. */
static __attribute__((noinline, unused)) void poke(char *block, long at, char byte)
{
    ((volatile char *)hidden(block))[at] = byte;
}

static __attribute__((noinline, unused)) char peek(char *block, long at)
{
    return ((volatile char *)hidden(block))[at];
}

/* A block, filled. A macro, so that its line is that of the caller. */
#define FILLED(size)                                                                                                   \
    ({                                                                                                                 \
        char *made_ = hidden(malloc(size));                                                                            \
        CHECK(made_);                                                                                                  \
        memset(made_, 'x', (size));                                                                                    \
        hidden(made_);                                                                                                 \
    })

#endif
