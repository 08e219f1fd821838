/*
 * A block so large that it is a mapping of its own, freed twice: the second free reads memory that is gone.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(8 << 20); /* allocated */
    free(block); /* freed */
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
    printf("ok\n");
    return 0;
}
