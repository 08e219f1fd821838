/*
 * Every way to allocate, from a function that a rule names and from one that none does: where the block lies, what it holds, how it is
 * aligned; and realloc between the two.
 */
#include "tiers.h"

APART static void *wanted_malloc(size_t size) { return opaque(malloc(size)); }
APART static void *wanted_calloc(size_t count, size_t size) { return opaque(calloc(count, size)); }
APART static void *wanted_realloc(void *block, size_t size) { return opaque(realloc(block, size)); }
APART static void *wanted_reallocarray(void *block, size_t count, size_t size) { return opaque(reallocarray(block, count, size)); }
APART static void *wanted_aligned(size_t align, size_t size) { return opaque(aligned_alloc(align, size)); }
APART static void *wanted_memalign(size_t align, size_t size) { return opaque(memalign(align, size)); }
APART static void *wanted_valloc(size_t size) { return opaque(valloc(size)); }
APART static void *wanted_pvalloc(size_t size) { return opaque(pvalloc(size)); }
APART static char *wanted_copy(const char *text) { return opaque(strdup(text)); }

APART static void *wanted_posix(size_t align, size_t size)
{
    void *block = NULL;
    CHECK(posix_memalign(&block, align, size) == 0);
    return opaque(block);
}

APART static void *other_malloc(size_t size) { return opaque(malloc(size)); }
APART static void *other_realloc(void *block, size_t size) { return opaque(realloc(block, size)); }

static int all(const unsigned char *block, size_t size, int value)
{
    for (size_t i = 0; i < size; i++)
        if (block[i] != value)
            return 0;
    return 1;
}

int main(void)
{
    static const size_t sizes[] = {1000, 4096, 70000, 1 << 20, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        unsigned char *a = wanted_malloc(size);
        PLACED(a);
        CHECK(malloc_usable_size(a) >= size && (uintptr_t)a % 16 == 0);
        memset(a, 1, size);

        /* Recycled memory is zero all the same. */
        for (int round = 0; round < 3; round++) {
            unsigned char *zero = wanted_calloc(size / 8, 8);
            PLACED(zero);
            CHECK(all(zero, size / 8 * 8, 0));
            memset(zero, 7, size / 8 * 8);
            free(zero);
        }

        a = wanted_realloc(a, size * 2);
        PLACED(a);
        CHECK(all(a, size, 1));
        a = other_realloc(a, size * 3);
        ORDINARY(a);
        CHECK(all(a, size, 1));
        a = wanted_realloc(a, size);
        PLACED(a);
        CHECK(all(a, size, 1));
        a = wanted_reallocarray(a, 2, size);
        PLACED(a);
        CHECK(all(a, size, 1));
        free(a);

        a = other_malloc(size);
        ORDINARY(a);
        memset(a, 2, size);
        a = wanted_reallocarray(a, size + 1, 1);
        PLACED(a);
        CHECK(all(a, size, 2));
        a = wanted_realloc(a, 10);
        ORDINARY(a);
        CHECK(all(a, 10, 2));
        free(a);

        for (size_t align = 16; align <= 4 << 20; align *= 4) {
            void *aligned[] = {wanted_posix(align, size), wanted_aligned(align, size / align * align + align),
                               wanted_memalign(align, size)};
            for (int form = 0; form < 3; form++) {
                PLACED(aligned[form]);
                CHECK((uintptr_t)aligned[form] % align == 0);
                memset(aligned[form], 3, size);
                free(aligned[form]);
            }
        }
        void *pages[] = {wanted_valloc(size), wanted_pvalloc(size)};
        for (int form = 0; form < 2; form++) {
            PLACED(pages[form]);
            CHECK((uintptr_t)pages[form] % 4096 == 0);
            free(pages[form]);
        }
    }

    /* Too small for the rule; nothing; too large for anybody. */
    void *small = wanted_malloc(500);
    ORDINARY(small);
    free(small);
    void *nothing = wanted_malloc(0);
    CHECK(nothing);
    free(nothing);
    CHECK(!wanted_malloc(PTRDIFF_MAX) && errno == ENOMEM);
    errno = 0;
    CHECK(!wanted_calloc((size_t)(uintptr_t)opaque((void *)(SIZE_MAX / 2)), 3) && errno == ENOMEM);
    free(NULL);
    void *block = wanted_malloc(2000);
    PLACED(block);
    CHECK(!wanted_realloc(block, 0));

    /* libc's own call, for the function: its caller is who the rule looks at. */
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    char *copy = wanted_copy(text);
    PLACED(copy);
    CHECK(strcmp(copy, text) == 0);
    free(copy);
    printf("ok\n");
    return 0;
}
