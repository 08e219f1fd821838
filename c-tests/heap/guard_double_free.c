/*
 * A block on guard pages is freed twice, and in its middle; neither reaches the allocator.
 */
#include "poke.h"

static void free_again(char *block)
{
    free(block); /* here */
}

int main(void)
{
    char *block = FILLED(16000); /* allocated */
    free(block); /* freed */
#ifndef CLEAN
    /* Natively this frees what has got the same address. */
    static char *volatile other; other = FILLED(16000);
    free_again(hidden(block));
    if (other != block)
        free(other);
#else
    (void)free_again;
#endif
    printf("ok\n");
    return 0;
}
