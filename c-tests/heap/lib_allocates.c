/*
 * A plugin that allocates for its user.
 */
#include <stdlib.h>

char *make(size_t size)
{
    char *block = malloc(size); /* allocated */
    block[0] = 'x';
    return block;
}
