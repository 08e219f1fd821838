/*
 * Guard pages that no mapping shows (MADV_GUARD_INSTALL, as glibc 2.42 and newer have them below stacks): where an arena of
 * malloc could begin, in the middle of memory that is looked through for pointers, and behind it. The look goes around them, and
 * finds the pointer beyond. Silent.
 */
#include "../lost.h"

#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Heaps of arenas begin at multiples of this (glibc malloc/arena.c: HEAP_MAX_SIZE). */
#define ARENA (sizeof(long) == 8 ? 64ul << 20 : 1ul << 20)
#define LEN (1ul << 19)

int main(void)
{
    char *place = mmap(NULL, 2 * ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(place != MAP_FAILED);
    char *at = (char *)(((unsigned long)place + ARENA - 1) & ~(ARENA - 1));
    CHECK(mprotect(at, LEN, PROT_READ | PROT_WRITE) == 0);
    memset(at, 1, LEN);
    /* Linux 6.13; before, the pages are ordinary ones. */
    for (unsigned long guard = 0; guard < LEN; guard += LEN / 4)
        madvise(at + guard, 4096, MADV_GUARD_INSTALL);
    *(void **)(at + LEN / 2 + 8192) = malloc(100);
    puts("ok");
    return 0;
}
