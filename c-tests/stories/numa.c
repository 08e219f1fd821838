/*
 * On which NUMA nodes do blocks lie? Each function's blocks, small and large, are written, and the kernel is asked for each page.
 * For scripts/check-numa, whose rules go by the names of the functions.
 *
 *     numa          "FUNCTION SIZE COUNT: node N has M pages, …", a line per function and size
 */
#include "../tiers/tiers.h"

#define KINDS(ONE) ONE(ordinary) ONE(bound) ONE(spread) ONE(liked) ONE(limited) ONE(weighted) ONE(nowhere)
#define ALLOCATE(name)                                                                                                 \
    APART static void *name(size_t size)                                                                               \
    {                                                                                                                  \
        void *block = malloc(size);                                                                                    \
        return opaque(block);                                                                                          \
    }
KINDS(ALLOCATE)

static const struct {
    const char *name;
    void *(*allocate)(size_t);
} kinds[] = {
#define KIND(name) {#name, name},
    KINDS(KIND)
};

#define NODES 8

/* Pages of a block that lie whole in it, by node; those that are nowhere last. */
static void count(char *block, size_t size, unsigned long *pages)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (uintptr_t at = ((uintptr_t)block + page - 1) & ~(page - 1); at + page <= (uintptr_t)block + size; at += page) {
        void *address = (void *)at;
        int status = -1;
        /* While the kernel is moving a page it is nowhere. */
        for (int tries = 0; status < 0 && tries < 1000; tries++, sched_yield())
            CHECK(syscall(SYS_move_pages, 0, 1UL, &address, NULL, &status, 0) == 0);
        pages[status >= 0 && status < NODES ? status : NODES]++;
    }
}

int main(void)
{
    static const struct {
        size_t size;
        int count;
    } sizes[] = {{20000, 100}, {6 << 20, 8}};
    alarm(250);
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned long pages[NODES + 1] = {0};
            char *blocks[100];
            for (int n = 0; n < sizes[i].count; n++) {
                CHECK((blocks[n] = kinds[kind].allocate(sizes[i].size)));
                memset(blocks[n], 1, sizes[i].size);
                count(blocks[n], sizes[i].size, pages);
            }
            printf("%-9s %7zu x %3d:", kinds[kind].name, sizes[i].size, sizes[i].count);
            for (int node = 0; node <= NODES; node++)
                if (node < 2 || pages[node])
                    printf(" %s%d %lu", node == NODES ? "nowhere, beyond " : "node", node, pages[node]);
            printf("\n");
            for (int n = 0; n < sizes[i].count; n++)
                free(blocks[n]);
        }
    printf("ok\n");
    return 0;
}
