/*
 * What the programs of scripts/check-flexmalloc share. Each site allocates blocks of one size that no other site has, prints
 * whether /proc/self/maps shows the directory of memkind/pmem behind the block, and frees it.
 */
#ifndef FLEXMALLOC_H
#define FLEXMALLOC_H

#include "../tiers/tiers.h"

/* What a site asks for: how the recorder and the script know it. */
#define SITE(number) ((size_t)(100096 + 256 * (number)))

static const char *directory;

/* A macro: no frame of its own. */
#define SAY(number, block)                                                                                             \
    do {                                                                                                               \
        void *block_ = opaque(block);                                                                                  \
        CHECK(block_);                                                                                                 \
        memset(block_, 1, SITE(number));                                                                               \
        printf("%d %s\n", (number), in_mapping(block_, directory) ? "tier" : "heap");                                  \
    } while (0)

#endif
