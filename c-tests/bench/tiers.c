/*
 * Bench rows of memory tiers: see rows.h. An iteration is one malloc and one free of the row's size, from a function that the rules of
 * tiers.toml name, or not. Rows that end in /8 run in eight threads, each with its own blocks.
 */
#define _GNU_SOURCE
#include "rows.h"

#include <execinfo.h>
#include <pthread.h>

/* A block is written, as a program would, so that memory which is given back and taken again costs what it costs. */
#define PAIR(size)                                                                                                     \
    do {                                                                                                               \
        char *block = malloc(size);                                                                                    \
        __asm__ volatile("" : "+r"(block) : : "memory");                                                               \
        block[0] = 1;                                                                                                  \
        block[(size) - 1] = 1;                                                                                         \
        __asm__ volatile("" : "+r"(block) : : "memory");                                                               \
        free(block);                                                                                                   \
    } while (0)

/* Below what any rule wants. */
static void below(long n)
{
    for (long i = 0; i < n; i++)
        PAIR(16);
}

/* A size that rules want, from a call that none does. */
__attribute__((noinline)) static void unwanted(long n)
{
    for (long i = 0; i < n; i++)
        PAIR(64);
}

#define ROUTED(name, size)                                                                                             \
    __attribute__((noinline)) static void name(long n)                                                                 \
    {                                                                                                                  \
        for (long i = 0; i < n; i++)                                                                                   \
            PAIR(size);                                                                                                \
    }
ROUTED(routed_64, 64)
ROUTED(routed_1k, 1024)
ROUTED(routed_64k, 65536)
ROUTED(routed_1m, 1 << 20)
ROUTED(routed_8m, 8 << 20)

/* What a call site costs who asks glibc at every call. */
static void backtraced(long n)
{
    void *frames[10];
    for (long i = 0; i < n; i++) {
        backtrace(frames, 10);
        PAIR(64);
    }
}

/* Blocks of mixed sizes that live for a while, as of a solver. */
__attribute__((noinline)) static void routed_mixed(long n)
{
    enum { LIVE = 256 };
    char *live[LIVE] = {0};
    unsigned seed = 1;
    for (long i = 0; i < n; i++) {
        seed = seed * 1103515245u + 12345u;
        unsigned at = seed >> 8 & (LIVE - 1), size = 64 + (seed >> 16 & 4095);
        free(live[at]);
        live[at] = malloc(size);
        live[at][0] = live[at][size - 1] = 1;
    }
    for (int i = 0; i < LIVE; i++)
        free(live[i]);
}

static const struct row rows[] = {
    {"below", below, 20000000, 0, 0},
    {"unwanted", unwanted, 20000000, 0, 0},
    {"routed-64", routed_64, 20000000, 0, 0},
    {"routed-1K", routed_1k, 20000000, 0, 0},
    {"routed-64K", routed_64k, 3000000, 0, 0},
    {"routed-1M", routed_1m, 400000, 0, 0},
    {"routed-8M", routed_8m, 20000, 0, 0},
    {"routed-mixed", routed_mixed, 5000000, 0, 0},
    {"routed-mixed/8", routed_mixed, 1000000, 8, 0},
    {"backtrace", backtraced, 300000, 0, 0},
};

static void *do_all(void *of)
{
    deep(11, do_job, of);
    return NULL;
}

static void run(const struct row *row, long n)
{
    struct job job = {row, n};
    pthread_t threads[8];
    for (int i = 1; i < row->threads; i++)
        pthread_create(&threads[i], NULL, do_all, &job);
    run_here(row, n);
    for (int i = 1; i < row->threads; i++)
        pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
    return RUN_ROWS(argc, argv, rows, run);
}
