/*
 * Initialised data, zeroed data and a constant are freed.
 */
#include "heap.h"

static _Alignas(16) char data[64] = "0123456789abcde\x18";
static _Alignas(16) char zeroed[64];
static const _Alignas(16) char constant[64] = "a constant";

int main(void)
{
#ifndef CLEAN
    free(opaque(data + 16)); /* here */
    free(opaque(zeroed + 16)); /* here */
    free(opaque(constant + 16)); /* here */
#else
    opaque(data), opaque(zeroed), opaque(constant);
#endif
    printf("ok\n");
    return 0;
}
