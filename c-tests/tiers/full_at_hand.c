/* A tier is full when its memory is in use: what a thread has freed and keeps at hand is no loss to its other calls. */
#include "tiers.h"

APART static char *wanted(size_t size) { return opaque(malloc(size)); }
APART static char *wanted_elsewhere(size_t size) { return opaque(calloc(1, size)); }

#ifdef CLEAN
enum { LARGE = 3 << 19, MOST = 42 };
#else
enum { LARGE = 3 << 19, MOST = 64 };
#endif

/* How many of these are there? One may be at hand at another place. */
static int to_the_end(int one_at_hand)
{
    char *blocks[MOST];
    int n = 0;
    if (one_at_hand)
        free(wanted_elsewhere(LARGE));
    while (n < MOST && (blocks[n] = wanted(LARGE)))
        n++;
    for (int i = 0; i < n; i++)
        free(blocks[i]);
    return n;
}

int main(void)
{
    for (int time = 0; time < 2; time++) {
        int n = to_the_end(time);
        CHECK(!has_tiers() || n == 42);
    }
    printf("ok\n");
    return 0;
}
