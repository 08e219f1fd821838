/*
 * realloc has moved the block, and the old pointer is freed.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(40); /* allocated */
    char *wall = filled(40); /* behind it: it cannot grow in place */
    char *old = (char *)opaque(block);
    char *grown = realloc(block, 4000); /* freed */
    CHECK(grown && grown != old);
#ifndef CLEAN
    free(old); /* here */
#endif
    free(wall);
    free(grown);
    printf("ok\n");
    return 0;
}
