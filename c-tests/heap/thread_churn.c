/*
 * Ten thousand threads, each of which allocates: what we keep of a thread is used again by the next, so memory does not grow.
 */
#include "heap.h"

static void *work(void *nothing)
{
    char *block = filled(100);
    block = realloc(block, 1000);
    free(block);
    return nothing;
}

static long resident(void)
{
    long size, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%ld %ld", &size, &pages) == 2);
    fclose(file);
    return pages * 4;
}

int main(void)
{
    long before = 0;
    for (int i = 0; i < 2500; i++) {
        pthread_t threads[4];
        for (int j = 0; j < 4; j++)
            CHECK(pthread_create(&threads[j], NULL, work, NULL) == 0);
        for (int j = 0; j < 4; j++)
            pthread_join(threads[j], NULL);
        if (i == 250)
            before = resident();
    }
    long grown = resident() - before;
    /* The tables of remembered stacks fill up, once for each of the few threads that live at a time. */
    if (grown > 6144)
        fprintf(stderr, "%ld KiB more after 9000 threads\n", grown);
    CHECK(grown <= 6144);
    printf("ok\n");
    return 0;
}
