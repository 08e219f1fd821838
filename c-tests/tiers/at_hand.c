/*
 * A block that a thread frees is at hand for its next call there: it is as good as a new one, comes back once and not twice, and
 * is nobody's in a forked child that shares the tier.
 */
#include "tiers.h"

#include <sys/wait.h>

APART static char *wanted(size_t size) { return opaque(malloc(size)); }
APART static char *wanted_zero(size_t size) { return opaque(calloc(1, size)); }
APART static char *wanted_aligned(size_t align, size_t size) { return opaque(aligned_alloc(align, size)); }
APART static char *kept(size_t size) { return opaque(realloc(NULL, size)); }

enum { SMALL = 100, LARGE = 3 << 20, MANY = 2000 };

static void recycled(size_t size)
{
    for (int i = 0; i < 3; i++) {
        char *block = wanted_zero(size);
        PLACED(block);
        for (size_t at = 0; at < size; at++)
            CHECK(block[at] == 0);
        memset(block, 0xff, malloc_usable_size(block));
        free(block);
        char *other = wanted(size);
        PLACED(other);
        CHECK(malloc_usable_size(other) >= size);
        memset(other, 0xff, size);
        free(other);
        /* Larger, smaller, larger: what is at hand does not fit. */
        other = wanted(size * 2);
        CHECK(malloc_usable_size(other) >= size * 2);
        free(other);
        for (size_t align = 16; align <= 1 << 16; align *= 2) {
            other = wanted_aligned(align, size);
            PLACED(other);
            CHECK((uintptr_t)other % align == 0);
            free(other);
        }
    }
}

/* Only with tiers: glibc would end the program. All that come after are other blocks, each once. */
static void freed_twice(size_t size, int count)
{
    char *blocks[MANY];
    char *block = wanted(size);
    free(block);
    free(block);
    for (int i = 0; i < count; i++) {
        blocks[i] = wanted(size);
        memset(blocks[i], 0, 16);
    }
    for (int i = 0; i < count; i++)
        CHECK(blocks[i][0]++ == 0);
    for (int i = 0; i < count; i++)
        free(blocks[i]);
}

static void forked(void)
{
    char *blocks[3];
    for (int i = 0; i < 3; i++) {
        blocks[i] = kept(SMALL);
        memset(blocks[i], 1, SMALL);
    }
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            free(blocks[i]);
        for (int i = 0; i < 3; i++) {
            char *new = kept(SMALL);
            memset(new, 2, SMALL);
            free(new);
        }
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    for (int i = 0; i < 3; i++) {
        for (int at = 0; at < SMALL; at++)
            CHECK(blocks[i][at] == 1);
        free(blocks[i]);
    }
}

int main(void)
{
    recycled(SMALL);
    recycled(LARGE);
    forked();
    if (has_tiers()) {
        freed_twice(SMALL, MANY);
        freed_twice(LARGE, 8);
    }
    printf("ok\n");
    return 0;
}
