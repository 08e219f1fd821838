/*
 * Writes beside a block that do not reach the closed pages: found when it is freed.
 */
#include "poke.h"

int main(void)
{
    for (int i = 0; i < 16; i++) {
        char *block = FILLED(33); /* allocated */
#ifndef CLEAN
        poke(block, 34, 'w');
#endif
        free(block); /* here */
    }
    printf("ok\n");
    return 0;
}
