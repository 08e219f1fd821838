/*
 * realloc of a pointer into a block, of a variable and of a constant. protect answers ENOMEM.
 */
#include "heap.h"

static const _Alignas(16) char constant[64] = "a constant";

int main(void)
{
    _Alignas(16) char local[64];
    memset(opaque(local), 0x18, sizeof local);
    char *block = filled(100); /* allocated */
#ifndef CLEAN
    CHECK(!realloc(opaque(block + 16), 200) && errno == ENOMEM); /* here */
    CHECK(!realloc(opaque(local + 16), 200) && errno == ENOMEM); /* here */
    CHECK(!realloc(opaque(constant + 16), 200) && errno == ENOMEM); /* here */
    CHECK(!reallocarray(opaque(local + 16), 20, 10) && errno == ENOMEM); /* here */
#else
    opaque(constant);
#endif
    free(block);
    printf("ok\n");
    return 0;
}
