/*
 * A block with a pointer in it is freed, and the next one takes its beginning. What is left of the first is memory that the allocator
 * has free: the pointer there keeps nothing alive.
 */
#include "../lost.h"

/* Stdio will have what comes before. */
enum { AT_END = 5600 / sizeof(void *) };
static void *volatile kept[2];

NOINLINE static void lose(void)
{
    struct node **large = HIDDEN(malloc(6000));
    large[AT_END] = node(NULL, NULL);
    kept[0] = HIDDEN(malloc(2000));
    LOSE(large[AT_END]);
    free(large);
    kept[1] = HIDDEN(malloc(200));
    CHECK(kept[1] == large);
}

int main(void)
{
    lose();
    scrub();
    printf("ok\n");
    return 0;
}
