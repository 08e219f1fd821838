/*
 * A pointer that is not aligned as blocks are, into memory that the program has mapped itself.
 */
#include "heap.h"
#include <sys/mman.h>

int main(void)
{
    char *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped != MAP_FAILED);
#ifndef CLEAN
    free(opaque(mapped + 4097)); /* here */
#endif
    CHECK(munmap(mapped, 8192) == 0);
    printf("ok\n");
    return 0;
}
