/*
 * A block of each allocating call, freed twice. The first ends the program by itself.
 */
#include "heap.h"

static void twice(void *block)
{
    CHECK(block);
    free(block); /* freed */
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
}

int main(void)
{
    void *aligned = NULL;
    twice(malloc(100));
    twice(calloc(10, 10));
    twice(realloc(NULL, 100));
    twice(reallocarray(NULL, 10, 10));
    CHECK(posix_memalign(&aligned, 64, 100) == 0);
    twice(aligned);
    twice(aligned_alloc(64, 128));
    twice(memalign(64, 100));
    twice(valloc(100));
    twice(pvalloc(100));
    twice(strdup("a string long enough"));
    printf("ok\n");
    return 0;
}
