/*
 * A freed block is read. On guard pages that faults at once, and the program dies of it as of any unmapped page; under protect it goes
 * on.
 */
#include "poke.h"

int main(void)
{
    char *block = FILLED(100); /* allocated */
    free(block); /* freed */
#ifndef CLEAN
    peek(block, 10); /* here */
#endif
    printf("ok\n");
    return 0;
}
