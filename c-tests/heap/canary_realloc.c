/*
 * realloc looks at the redzones of the block that it frees; what was written to the block goes into the new one.
 */
#include "poke.h"

int main(void)
{
    char *block = FILLED(50); /* allocated */
#ifndef CLEAN
    poke(block, 51, 0);
#endif
    block = realloc(block, 500); /* here */
    for (int i = 0; i < 50; i++)
        CHECK(peek(block, i) == 'x');
    memset(block, 'z', 500);
    block = realloc(block, 5);
    CHECK(malloc_usable_size(block) >= 5 && memcmp(block, "zzzzz", 5) == 0);
    block = reallocarray(block, 30, 10);
    CHECK(memcmp(block, "zzzzz", 5) == 0);
#ifndef CLEAN
    poke(block, 300, 'o');
#endif
    free(block); /* here */

    /* Too much is refused, and the block stays as it is. */
    block = FILLED(33);
    CHECK(realloc(block, PTRDIFF_MAX + (size_t)(sizeof(size_t) < 8)) == NULL && errno == ENOMEM);
    CHECK(realloc(block, SIZE_MAX - 70) == NULL);
    CHECK(reallocarray(block, SIZE_MAX / 2, 3) == NULL);
    CHECK(peek(block, 32) == 'x');
    free(block);
    CHECK(malloc(SIZE_MAX - 100) == NULL && calloc(SIZE_MAX / 2, 3) == NULL);
    printf("ok\n");
    return 0;
}
