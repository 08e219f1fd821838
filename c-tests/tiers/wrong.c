/* Rules and tiers with faults: each is one line, and the program runs. */
#include "tiers.h"

APART static void *wanted(size_t size) { return opaque(malloc(size)); }

int main(void)
{
    for (int i = 0; i < 100; i++) {
        char *block = wanted(2000);
        ORDINARY(block);
        memset(block, 1, 2000);
        free(block);
    }
    printf("ok\n");
    return 0;
}
