/*
 * The end of a block is freed.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(48); /* allocated */
    memset(block, 0x18, 48);
#ifndef CLEAN
    free(opaque(block + 48)); /* here */
#endif
    free(block);
    printf("ok\n");
    return 0;
}
