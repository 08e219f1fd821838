/*
 * realloc(block, 0) frees the block and returns NULL; who takes that for a failure frees it again.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(40); /* allocated */
    char *smaller = realloc(block, 0); /* freed */
    CHECK(!smaller);
#ifndef CLEAN
    free(opaque(block)); /* here */
#endif
    printf("ok\n");
    return 0;
}
