/*
 * The calls that ask and tune the allocator answer as without us, to the byte: our own memory is not the program's.
 */
#include "heap.h"

#if !__GLIBC_PREREQ(2, 33)
#define mallinfo2 mallinfo
#endif

int main(void)
{
    /* The first call makes a table for the thread; up to glibc 2.33 a preloaded library has made it call before. */
    free(filled(1));
    struct mallinfo2 before = mallinfo2();
    char *blocks[100];
    for (int i = 0; i < 100; i++)
        blocks[i] = filled((size_t)i * 100 + 1);
    char *mapped = filled(1 << 20);
    struct mallinfo2 within = mallinfo2();
    printf("%zu bytes in %zu mappings, %zu in use\n", (size_t)within.hblkhd, (size_t)within.hblks,
           (size_t)(within.uordblks - before.uordblks));
    /* Up to glibc 2.34 there is a limit to it. */
    int taken = mallopt(M_MMAP_THRESHOLD, 64 << 20);
    char *unmapped = filled(1 << 20);
    CHECK(mallinfo2().hblks == within.hblks + !taken);
    CHECK(mallopt(M_PERTURB, 0x55) == 1);
    unsigned char *perturbed = malloc(100);
    CHECK(perturbed[50] == 0xaa);
    free(perturbed);
    free(unmapped);
    free(mapped);
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    CHECK(mallinfo2().hblks == 0);
    printf("trimmed: %d\n", malloc_trim(0));
    FILE *discard = fopen("/dev/null", "w");
    CHECK(malloc_info(0, discard) == 0);
    fclose(discard);
    malloc_stats();
    printf("ok\n");
    return 0;
}
