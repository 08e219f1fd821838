/*
 * Lost blocks of a tier. What its allocator keeps there, its lists and the pages that are free, leads to none of them: the first block
 * of a page, which the page's head names; a block whose only pointer lies in memory that was freed. What live blocks lead to is not
 * lost, in the tier or on the heap; what a lost one leads to is lost with it.
 */
#include "../lost.h"
#include "tiers.h"

#define FIRST 3000 /* a size that nobody else wants: a page of its own */
#define LARGE (3 << 20)

struct link {
    struct link *next;
    char rest[1000];
};

APART static void *wanted_first(void) { return HIDDEN(malloc(FIRST)); }         /* allocated */
APART static void *wanted_large(void) { return HIDDEN(malloc(LARGE)); }         /* allocated */
APART static void *wanted_stale(void) { return HIDDEN(calloc(1, 5000)); }       /* allocated */
APART static struct link *wanted_link(void) { return HIDDEN(calloc(1, sizeof(struct link))); }  /* allocated */
APART static struct link *wanted_kept(void) { return HIDDEN(calloc(1, sizeof(struct link))); }
APART static struct link *ordinary(void) { return HIDDEN(calloc(1, sizeof(struct link))); }

static struct link *kept;

NOINLINE static void keep(void)
{
    kept = wanted_kept();
    kept->next = wanted_kept();
    kept->next->next = ordinary();
    kept->next->next->next = wanted_kept();
    PLACED(kept->next);
    ORDINARY(kept->next->next);
}

NOINLINE static void lose(void)
{
    void *first = wanted_first(), *large = wanted_large();
    PLACED(first);
    PLACED(large);
    memset(large, 0, LARGE);

    /* Only a freed block leads to it, and one that was never more than free memory of the tier. */
    struct link *freed[8];
    void *stale = wanted_stale();
    for (int i = 0; i < 8; i++) {
        freed[i] = wanted_kept();
        for (size_t at = 0; at < sizeof freed[i]->rest / sizeof stale; at++)
            memcpy(freed[i]->rest + at * sizeof stale, &stale, sizeof stale);
    }
    for (int i = 0; i < 8; i++)
        free(freed[i]);

    /* One that is lost, and two that it leads to. */
    struct link *leader = wanted_link();
    leader->next = ordinary();
    leader->next->next = wanted_kept();
#ifdef CLEAN
    free(leader->next->next);
    free(leader->next);
#endif
    LOSE(leader);
    LOSE(stale);
    LOSE(large);
    LOSE(first);
}

int main(void)
{
    keep();
    lose();
    scrub();
    for (struct link *at = kept; at; at = at->next)
        CHECK(at->rest[0] == 0);
    scrub();
    printf("ok\n");
    return 0;
}
