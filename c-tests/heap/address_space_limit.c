/*
 * The address space runs out: the program sees NULL and ENOMEM and goes on; we do, too, and still report.
 */
#include "heap.h"
#include <sys/resource.h>

#define MOST 100000

static char *blocks[MOST];

int main(void)
{
    char *first = filled(40); /* allocated */
    char *probe = filled(60);
    /* 256 MiB and what is there: little enough to fill, more than we take for us. */
    size_t pages = 0;
    FILE *status = fopen("/proc/self/statm", "r");
    CHECK(status && fscanf(status, "%zu", &pages) == 1);
    fclose(status);
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = pages * 4096 + ((rlim_t)256 << 20);
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);

    for (int round = 0; round < 2; round++) {
        int count = 0;
        size_t sizes[] = {3 << 20, 70000, 5000, 100};
        for (int i = 0; i < 4; i++) {
            while (count < MOST && (blocks[count] = malloc(sizes[i]))) {
                blocks[count][0] = 'b';
                blocks[count++][sizes[i] - 1] = 'e';
            }
            CHECK(count == MOST || errno == ENOMEM);
        }
        CHECK(count > 30);
        errno = 0;
        char *grown = realloc(probe, 64 << 20);
        CHECK(!grown && errno == ENOMEM && probe[59] == 'x');
        CHECK(!calloc(64, 1 << 20));
        for (int i = 0; i < count; i++) {
            CHECK(blocks[i][0] == 'b');
            free(blocks[i]);
        }
    }
    free(first); /* freed */
#ifndef CLEAN
    free(opaque(first)); /* here */
#endif
    free(probe);
    limit.rlim_cur = before;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    printf("ok\n");
    return 0;
}
