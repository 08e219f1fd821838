/*
 * Memory that the program has mapped itself is freed. Whether another allocator has returned it cannot be seen: it is a suspect, and
 * the allocator has the last word, also under protect.
 */
#include "heap.h"
#include <sys/mman.h>

int main(void)
{
    char *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped != MAP_FAILED);
#ifndef CLEAN
    free(opaque(mapped + 4096)); /* here */
#endif
    CHECK(munmap(mapped, 8192) == 0);
    printf("ok\n");
    return 0;
}
