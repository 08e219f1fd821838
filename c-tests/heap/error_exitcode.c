/*
 * error_exitcode=99: the program ends with it after an error. A mismatch harms nobody here.
 */
#include "heap.h"

int main(void)
{
    char *block = filled(100); /* allocated */
#ifndef CLEAN
    free(opaque(block + 16)); /* here */
#endif
    free(block);
    printf("ok\n");
    return 0;
}
