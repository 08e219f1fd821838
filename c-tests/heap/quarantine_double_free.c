/*
 * A block is freed twice, a thousand blocks apart, which glibc alone would take for good: the address would belong to another
 * block by then. In the quarantine it does not, and the second free goes nowhere.
 */
#include "poke.h"

static void free_again(char *block)
{
    free(block); /* here */
}

int main(void)
{
    char *block = FILLED(100); /* allocated */
    free(block); /* freed */
    char *others[1000];
    for (int i = 0; i < 1000; i++)
        others[i] = FILLED(100);
#ifndef CLEAN
    free_again(hidden(block));
#else
    (void)free_again;
#endif
    for (int i = 0; i < 1000; i++)
        CHECK(others[i] == block || peek(others[i], 99) == 'x');
    /* Natively the second free has freed one of them. */
    for (int i = 0; i < 1000; i++)
        if (others[i] != block)
            free(others[i]);
    printf("ok\n");
    return 0;
}
