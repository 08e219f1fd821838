/*
 * Three call stacks: one whose pages are asked for anew again and again, one that is filled once, one whose blocks live for a moment and
 * of which there are most. At the end each says which mapping it lies in. For scripts/check-advise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#define APART __attribute__((noinline, noclone))
enum { BYTES = 8 << 20, PAGE = 4096, ROUNDS = 40, MOMENTS = 100 };

APART static char *hot_table(void)
{
    char *block = malloc(BYTES);
    __asm__ volatile("" : "+r"(block));
    return block;
}

APART static char *cold_table(void)
{
    char *block = malloc(BYTES);
    __asm__ volatile("" : "+r"(block));
    return block;
}

APART static char *short_buffer(void)
{
    char *block = malloc(BYTES);
    __asm__ volatile("" : "+r"(block));
    return block;
}

static void touch(char *block)
{
    for (size_t at = 0; at < BYTES; at += PAGE)
        ((volatile char *)block)[at]++;
}

static void where(const char *name, const void *block)
{
    unsigned long from, to;
    char line[512], path[256];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        path[0] = 0;
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255[^\n]", &from, &to, path) >= 2 && from <= (unsigned long)block &&
            (unsigned long)block < to)
            printf("%s lies in %s\n", name, strstr(path, "memfd") ? "a memfd" : "ordinary memory");
    }
    if (maps)
        fclose(maps);
}

int main(void)
{
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    char *hot = hot_table(), *cold = cold_table(), *some = NULL;
    if (!hot || !cold)
        return 1;
    memset(cold, 1, BYTES);
    for (int round = 0; round < ROUNDS; round++) {
        /* Whole pages inside of the block. */
        char *first = (char *)(((unsigned long)hot + PAGE - 1) / PAGE * PAGE);
        madvise(first, BYTES - PAGE, MADV_DONTNEED);
        touch(hot);
        /* An allocation now and then, as any program makes: that is when samples are looked at. */
        some = malloc(100000);
        __asm__ volatile("" : "+r"(some));
        free(some);
    }
    for (int moment = 0; moment < MOMENTS; moment++) {
        some = short_buffer();
        some[5] = 1;
        if (moment + 1 < MOMENTS)
            free(some);
    }
    where("hot", hot);
    where("cold", cold);
    where("short", some);
    free(some);
    free(hot);
    free(cold);
    puts("done");
    return 0;
}
