/*
 * With little address space: what the quarantine holds goes back before an allocation fails.
 */
#include "poke.h"
#include <sys/resource.h>

int main(void)
{
    free(FILLED(1 << 20));
    /* What is mapped, and 96 MiB. */
    FILE *self = fopen("/proc/self/statm", "r");
    unsigned long pages;
    CHECK(self && fscanf(self, "%lu", &pages) == 1);
    fclose(self);
    struct rlimit bound = {pages * 4096 + (96 << 20), RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_AS, &bound) == 0);
    for (int i = 0; i < 400; i++) {
        size_t size = (i % 4 + 1) << 20;
        char *block = i % 2 ? malloc(size) : calloc(1, size);
        CHECK(block);
        block[size - 1] = 'q';
        block = realloc(block, size + 4096);
        CHECK(block && block[size - 1] == 'q');
        free(block);
    }
    CHECK(malloc(sizeof(size_t) == 8 ? (size_t)PTRDIFF_MAX >> 23 : PTRDIFF_MAX - (size_t)100) == NULL && errno == ENOMEM);
    printf("ok\n");
    return 0;
}
