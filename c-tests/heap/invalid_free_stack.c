/*
 * A variable of the function is freed, and one of its caller's.
 */
#include "heap.h"

static __attribute__((noinline)) void release(char *outer)
{
    _Alignas(16) char inner[64];
    memset(opaque(inner), 0x18, sizeof inner);
#ifndef CLEAN
    free(opaque(inner + 16)); /* here */
    free(opaque(outer)); /* here */
#else
    (void)outer;
#endif
}

int main(void)
{
    _Alignas(16) char outer[64];
    memset(opaque(outer), 0x18, sizeof outer);
    release(outer + 16);
    printf("ok\n");
    return 0;
}
