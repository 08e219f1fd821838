/*
 * A pointer into a block is freed: 16 bytes into it, and one.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(100); /* allocated */
#ifndef CLEAN
    free(opaque(block + 16)); /* here */
    free(opaque(block + 1)); /* here */
#endif
    free(block);
    printf("ok\n");
    return 0;
}
