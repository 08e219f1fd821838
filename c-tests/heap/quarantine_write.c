/*
 * A freed block is written to while it lies in the quarantine: found when it leaves.
 */
#include "poke.h"

static void free_it(char *block)
{
    free(block); /* freed */
}

int main(void)
{
    char *block = FILLED(200); /* allocated */
    free_it(block);
#ifndef CLEAN
    poke(block, 17, 'w');
#endif
    /* More than the quarantine holds. */
    for (int i = 0; i < 3000; i++)
        free(FILLED(1000));
    printf("ok\n");
    return 0;
}
