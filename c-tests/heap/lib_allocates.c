/*
 * A plugin that allocates for its user, and frees for it.
 */
#include <stdlib.h>

char *make(size_t size)
{
    char *block = malloc(size); /* allocated */
    block[0] = 'x';
    return block;
}

void unmake(void *block)
{
    free(block); /* here */
    __asm__ volatile("");
}
