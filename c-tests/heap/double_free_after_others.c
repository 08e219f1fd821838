/*
 * Between the first free of a block and the second there are 32 of others of its size: its entry is evidence until the
 * address is given out again.
 */
#include "heap.h"

int main(void)
{
    char *others[32];
    for (int i = 0; i < 32; i++)
        others[i] = filled(40);
    char *block = filled(40); /* allocated */
    free(block); /* freed */
    for (int i = 0; i < 32; i++)
        free(others[i]);
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
    printf("ok\n");
    return 0;
}
