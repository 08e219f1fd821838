/* Full tiers: to the next, to the heap, or malloc fails, which is a finding; and there is room again after a free. */
#include "tiers.h"

#define MANY 40
#define PIECE (512 << 10)

APART static void *wanted(size_t size) { return opaque(malloc(size)); }
APART static void *strict(size_t size) { return opaque(malloc(size)); }

int main(void)
{
    NEEDS_HUGE_PAGES();
    char *blocks[MANY];
    int placed = 0;
    for (int i = 0; i < MANY; i++) {
        blocks[i] = wanted(PIECE);
        CHECK(blocks[i]);
        memset(blocks[i], i, PIECE);
        placed += in_mapping(blocks[i], "shim-tier");
    }
    CHECK(!has_tiers() || (placed > 5 && placed <= 16));
    for (int i = 0; i < MANY; i++) {
        for (int at = 0; at < PIECE; at += 4096)
            CHECK(blocks[i][at] == (char)i);
        free(blocks[i]);
    }
    void *again = wanted(PIECE);
    PLACED(again);
    free(again);

#ifndef CLEAN
    int failed = 0;
    for (int i = 0; i < MANY; i++) {
        errno = 0;
        blocks[i] = strict(PIECE);
        if (!blocks[i]) {
            CHECK(errno == ENOMEM);
            failed++;
        }
    }
    CHECK(!has_tiers() || (failed >= MANY - 16 && failed < MANY));
    for (int i = 0; i < MANY; i++)
        free(blocks[i]);
#endif
    again = strict(PIECE);
    PLACED(again);
    free(again);
    printf("ok\n");
    return 0;
}
