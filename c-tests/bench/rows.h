/*
 * What the bench programs share: the clock, the depth of the stack, and the rows of those whose rows are loops.
 *
 * Each loop runs under 12 calls, so that stacks are as deep as those of a small server.
 */
#ifndef ROWS_H
#define ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ns */
static inline double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Calls run(of) under so many frames and one, none of which the compiler may leave out. */
__attribute__((noinline, unused)) static void deep(int depth, void (*run)(void *), void *of)
{
    if (depth > 0)
        deep(depth - 1, run, of);
    else
        run(of);
    __asm__ volatile("" ::: "memory");
}

struct row {
    const char *name;
    /* Does it n times. */
    void (*run)(long n);
    long n;
    /* How many do it, 0 as 1; and is there another thread meanwhile? Only for programs that have threads. */
    int threads, others;
};

struct job {
    const struct row *row;
    long n;
};

__attribute__((noinline, unused)) static void do_job(void *of)
{
    struct job *job = of;
    job->row->run(job->n);
    __asm__ volatile("" ::: "memory");
}

/* A row in the calling thread. */
__attribute__((unused)) static void run_here(const struct row *row, long n)
{
    struct job job = {row, n};
    deep(11, do_job, &job);
}

/* Runs the rows that the arguments name, each a twentieth first, and prints "row cpu-ns wall-ns" lines, per iteration. A number
 * among the arguments divides the iterations of the rows after it, for tools that are too slow for all of them. */
__attribute__((unused)) static int run_rows(int argc, char **argv, const struct row *rows, size_t count,
                                            void (*run)(const struct row *, long))
{
    long divisor = 1;
    for (int i = 1; i < argc; i++) {
        if (atol(argv[i]) > 0)
            divisor = atol(argv[i]);
        for (const struct row *r = rows; r < rows + count; r++) {
            if (strcmp(argv[i], r->name) != 0)
                continue;
            long n = r->n / divisor;
            run(r, n / 20);
            double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
            run(r, n);
            cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = now(CLOCK_MONOTONIC) - wall;
            printf("%s %.2f %.2f\n", r->name, cpu / n, wall / n);
        }
    }
    return 0;
}

#define RUN_ROWS(argc, argv, rows, run) run_rows(argc, argv, rows, sizeof rows / sizeof *rows, run)

#endif
