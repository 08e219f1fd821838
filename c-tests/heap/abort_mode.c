/*
 * heap=abort ends the program at its first error, after the report; the block is whole then, and glibc has said nothing.
 */
#include "heap.h"

int main(void)
{
    char *full[7];
    for (int i = 0; i < 7; i++)
        full[i] = filled(40);
    char *block = filled(40), *above = filled(40); /* allocated */
    for (int i = 0; i < 7; i++)
        free(full[i]);
    free(block); /* freed */
    free(above);
    CHECK(write(1, "before\n", 7) == 7);
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
    CHECK(write(1, "ok\n", 3) == 3);
    _exit(0);
}
