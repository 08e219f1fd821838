/*
 * What the suppressions name is not told; what they do not name is. A finding that is suppressed is refused all the same.
 */
#include "heap.h"

static __attribute__((noinline)) void known_bug(char *block)
{
    free(opaque(block)); /* here */
    __asm__ volatile("");
}

int main(void)
{
    char *block = filled(100); /* allocated */
    free(block); /* freed */
#ifndef CLEAN
    known_bug(block);
    int local;
    free(opaque(&local)); /* here */
#else
    (void)known_bug;
#endif
    printf("ok\n");
    return 0;
}
