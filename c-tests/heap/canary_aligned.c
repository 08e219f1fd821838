/*
 * Aligned blocks keep their alignment with a redzone in front, which is a multiple of it, and both are watched.
 */
#include "poke.h"

#ifdef CLEAN
#define OUTSIDE(bad, good) (good)
#else
#define OUTSIDE(bad, good) (bad)
#endif

static void *aligned(size_t align, size_t size)
{
    void *block = NULL;
    CHECK(posix_memalign(&block, align, size) == 0); /* allocated */
    CHECK((uintptr_t)block % align == 0);
    memset(block, 'x', size);
    return block;
}

int main(void)
{
    for (size_t align = 16; align <= 65536; align *= 2)
        for (size_t size = 1; size < 300; size += 97)
            free(aligned(align, size));

    char *block = aligned(256, 100);
    poke(block, OUTSIDE(-200, 0), 1);
    free(block); /* here */

    block = aligned(4096, 4096);
    poke(block, OUTSIDE(4096, 4095), 0);
    free(block); /* here */

    block = aligned_alloc(32, 96); /* allocated */
    CHECK((uintptr_t)block % 32 == 0);
    poke(block, OUTSIDE(96, 95), 0);
    free(block); /* here */

    block = memalign(64, 10); /* allocated */
    CHECK((uintptr_t)block % 64 == 0);
    poke(block, OUTSIDE(-1, 0), 0);
    free(block); /* here */

    block = valloc(10); /* allocated */
    CHECK((uintptr_t)block % (uintptr_t)sysconf(_SC_PAGESIZE) == 0);
    poke(block, OUTSIDE(10, 9), 0);
    free(block); /* here */

    /* All of its page is the program's. */
    block = pvalloc(10);
    CHECK((uintptr_t)block % (uintptr_t)sysconf(_SC_PAGESIZE) == 0);
    memset(block, 'x', (size_t)sysconf(_SC_PAGESIZE));
    free(block);

    printf("ok\n");
    return 0;
}
