/*
 * A block is freed twice, at once. glibc sees this one (its tcache) and aborts.
 */
#include "heap.h"

static void free_once(char *block)
{
    free(block); /* freed */
}

static void free_again(char *block)
{
    free(block); /* here */
}

int main(void)
{
    char *block = filled(40); /* allocated */
    free_once(block);
#ifndef CLEAN
    free_again(opaque(block));
#else
    (void)free_again;
#endif
    printf("ok\n");
    return 0;
}
