/*
 * The second free is made by a destructor, after main.
 */
#include "heap.h"

static char *block;

__attribute__((destructor)) static void at_the_end(void)
{
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
}

int main(void)
{
    block = filled(40); /* allocated */
    free(block); /* freed */
    printf("ok\n");
    fflush(stdout);
    return 0;
}
