/*
 * malloc(3), sentence by sentence: alignment, zero bytes, overflow, errno, sizes that cannot be, what may be written.
 */
#include "heap.h"
#include <sys/resource.h>

#define ALIGNED(pointer, to) ((uintptr_t)(pointer) % (to) == 0)
/* A little less than that is to be had in 32 bits. */
#define MUCH (sizeof(size_t) == 8 ? PTRDIFF_MAX - (size_t)4096 : PTRDIFF_MAX + (size_t)4096)

/* The whole of what the allocator says may be used is the program's. */
static void use(void *block, size_t size)
{
    CHECK(block && malloc_usable_size(block) >= size);
    memset(block, 0x5a, malloc_usable_size(block));
    free(block);
}

int main(void)
{
    /* Alignment, of each form and many sizes. */
    for (size_t size = 0; size < 300000; size = size * 5 / 4 + 1) {
        void *block = malloc(size);
        CHECK(ALIGNED(block, _Alignof(max_align_t)));
        use(block, size);
        char *zeroed = calloc(size, 3);
        CHECK(ALIGNED(zeroed, _Alignof(max_align_t)));
        for (size_t i = 0; i < size * 3; i++)
            CHECK(zeroed[i] == 0);
        use(zeroed, size * 3);
        use(realloc(NULL, size), size);
        for (size_t align = sizeof(void *); align <= 65536; align *= 2) {
            void *out = NULL;
            CHECK(posix_memalign(&out, align, size) == 0 && ALIGNED(out, align));
            use(out, size);
            block = memalign(align, size);
            CHECK(ALIGNED(block, align));
            use(block, size);
        }
        block = valloc(size);
        CHECK(ALIGNED(block, 4096));
        use(block, size);
        block = pvalloc(size);
        CHECK(ALIGNED(block, 4096));
        use(block, (size + 4095) / 4096 * 4096);
    }
    /* An alignment that is no power of two: memalign takes the next. */
    void *odd = memalign(48, 100);
    CHECK(ALIGNED(odd, 64));
    use(odd, 100);
    /* A size that is no multiple of the alignment. */
    void *rest = aligned_alloc(64, 65);
    CHECK(!rest || ALIGNED(rest, 64));
    free(rest);

    /* No bytes: a pointer of one's own, that can be freed. */
    void *none = malloc(0), *other = malloc(0), *product = calloc(0, 10);
    CHECK(none && other && product && none != other);
    free(none), free(other), free(product);
    errno = 77;
    void *block = filled(10);
    CHECK(!realloc(block, 0) && errno == 77);
    CHECK((block = realloc(NULL, 0)));
    free(block);

    /* Overflow, and sizes that cannot be: NULL, ENOMEM, and the block as it was. */
    block = filled(10);
    size_t wide = SIZE_MAX / 2 + 2;
#define NO_MEMORY(call) (errno = 0, !opaque(call) && errno == ENOMEM)
    CHECK(NO_MEMORY(calloc(wide, 2)));
    CHECK(NO_MEMORY(calloc(SIZE_MAX, SIZE_MAX)));
    CHECK(NO_MEMORY(reallocarray(block, wide, 2)));
    CHECK(NO_MEMORY(reallocarray(NULL, wide, 2)));
    CHECK(NO_MEMORY(malloc(MUCH)));
    CHECK(NO_MEMORY(malloc(SIZE_MAX)));
    CHECK(NO_MEMORY(calloc(MUCH, 1)));
    CHECK(NO_MEMORY(realloc(block, MUCH)));
    CHECK(NO_MEMORY(realloc(block, SIZE_MAX)));
    CHECK(NO_MEMORY(aligned_alloc(64, MUCH)));
    CHECK(NO_MEMORY(memalign(64, MUCH)));
    CHECK(NO_MEMORY(valloc(MUCH)));
    CHECK(NO_MEMORY(pvalloc(MUCH)));
    CHECK(NO_MEMORY(pvalloc(SIZE_MAX - 10)));
    CHECK(memcmp(block, "xxxxxxxxxx", 10) == 0);
    void *out = block;
    errno = 77;
    CHECK(posix_memalign(&out, 64, MUCH) == ENOMEM && out == block);
    CHECK(posix_memalign(&out, 3, 10) == EINVAL && out == block);
    CHECK(posix_memalign(&out, 0, 10) == EINVAL && posix_memalign(&out, 2, 10) == EINVAL && out == block);
    CHECK(posix_memalign(&out, 24, 10) == EINVAL && out == block);
    free(block);

    /* realloc keeps what was there, growing and shrinking, also where the block is a mapping. */
    unsigned char *text = malloc(1);
    text[0] = 0;
    for (size_t size = 2; size < (8 << 20); size = size * 7 / 3) {
        text = realloc(text, size);
        CHECK(text && text[0] == 0 && ALIGNED(text, _Alignof(max_align_t)));
        for (size_t i = 0; i < size; i++)
            text[i] = (unsigned char)(i * 7);
        text = realloc(text, size / 2);
        for (size_t i = 0; i < size / 2; i++)
            CHECK(text[i] == (unsigned char)(i * 7));
        text = realloc(text, size);
    }
    free(text);
    void *same = memalign(4096, 100);
    memset(same, 'y', 100);
    CHECK((same = realloc(same, 5000)) && memcmp(same, "yyyyyyyyyy", 10) == 0);
    free(same);

    /* free leaves errno alone, also when it gives a mapping or the top of the heap back. */
    char *mapped = filled(4 << 20), *small = filled(10);
    char *top = filled(120000), *above = filled(120000);
    errno = 77;
    free(NULL);
    free(mapped);
    free(small);
    free(top);
    free(above);
    malloc_trim(0);
    CHECK(errno == 77);
    CHECK(malloc_usable_size(NULL) == 0);
    printf("ok\n");
    return 0;
}
