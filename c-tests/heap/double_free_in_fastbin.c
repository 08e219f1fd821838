/*
 * The tcache is full, so that the block lies in a fastbin, below another: glibc does not see this one, and would give the
 * block out twice.
 */
#include "heap.h"

int main(void)
{
    char *full[7];
    for (int i = 0; i < 7; i++)
        full[i] = filled(40);
    char *block = filled(40); /* allocated */
    char *above = filled(40);
    for (int i = 0; i < 7; i++)
        free(full[i]);
    free(block); /* freed */
    free(above);
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
    CHECK(write(1, "ok\n", 3) == 3); /* stdio would allocate */
    _exit(0);
}
