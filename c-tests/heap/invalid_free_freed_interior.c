/*
 * A pointer into a block that was freed: no live block is there, so it cannot be proved what it was.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(100);
    memset(block, 0x18, 100);
    free(block);
#ifndef CLEAN
    free(opaque(block + 32)); /* here */
#endif
    printf("ok\n");
    return 0;
}
