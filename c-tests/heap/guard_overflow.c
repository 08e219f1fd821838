/*
 * Reads and writes outside of a block of whole pages, which has no slack on either side: they fault. memset's is told of the
 * program's call.
 */
#include "poke.h"

int main(void)
{
    char *block = FILLED(8192); /* allocated */
    /* Natively there is something on both sides. */
    char *second = FILLED(8192); /* allocated */
    char *behind = FILLED(60000);
#ifndef CLEAN
    peek(block, 8192); /* here */
    poke(block, -16, 0); /* here */
    void *(*volatile fill)(void *, int, size_t) = memset;
    fill(second + 8192 + 16, 'x', 8); /* here */
#endif
    free(behind);
    free(second);
    free(block);
    printf("ok\n");
    return 0;
}
