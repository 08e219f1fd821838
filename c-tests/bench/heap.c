/* Bench rows of the heap: `heap ROW[/THREADS]... [DIVISOR]` prints "row cpu-ns wall-ns peak-rss-KiB" lines, per operation. A number
 * among the arguments divides the operations of the rows after it, for tools that are too slow for all of them.
 *
 *   pair      malloc(32) and free, nothing else: the floor
 *   churn     5000 blocks of 8 to 1000 bytes, one at random replaced at a time
 *   larson    as churn, and every 5000 operations a thread gives its blocks to the next: most are freed by another thread
 *             (after Larson and Krishnan, "Memory allocation for long-running server applications", ISMM 1998; sizes and counts as mimalloc-bench has them)
 *   cfrac     numbers on the heap, each result a new one: factors an integer by Pollard's rho (after cfrac: many blocks, tiny, short-lived)
 *   espresso  sets of cubes, merged until nothing merges: minimises a boolean function (after espresso: blocks that live in lists)
 *
 * All run under 12 calls, so that stacks are as deep as those of a small server. */
#include "rows.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>

#define SLOTS 5000

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void *taken(size_t size)
{
    char *block = malloc(size);
    if (!block)
        abort();
    block[0] = (char)size;
    return block;
}

/* The work of a thread. */
struct work {
    long n;
    int index, threads;
    pthread_barrier_t *all;
    void *(*blocks)[SLOTS];
};

static void pair(struct work *w)
{
    for (long i = 0; i < w->n; i++) {
        void *volatile p = malloc(32);
        free(p);
    }
}

static void replace(void **blocks, uint32_t *random)
{
    uint32_t r = next_random(random);
    void **slot = &blocks[r % SLOTS];
    free(*slot);
    *slot = taken(8 + next_random(random) % 993);
}

static void churn(struct work *w)
{
    uint32_t random = w->index + 1;
    void **blocks = w->blocks[w->index];
    for (long i = 0; i < w->n; i++)
        replace(blocks, &random);
}

static void larson(struct work *w)
{
    uint32_t random = w->index + 1;
    long done = 0;
    for (int turn = 0; done < w->n; turn++) {
        void **blocks = w->blocks[(w->index + turn) % w->threads];
        for (int i = 0; i < SLOTS && done < w->n; i++, done++)
            replace(blocks, &random);
        /* Two threads never have the same blocks. */
        if (w->threads > 1)
            pthread_barrier_wait(w->all);
    }
}

/* Numbers as cfrac has them: on the heap, counted by nobody, freed by who made them. */
struct number {
    uint32_t used, digits[4];
};

static struct number *number(unsigned __int128 value)
{
    struct number *n = taken(sizeof *n);
    for (n->used = 0; value; value >>= 32)
        n->digits[n->used++] = (uint32_t)value;
    return n;
}

static unsigned __int128 value(const struct number *n)
{
    unsigned __int128 v = 0;
    for (uint32_t i = n->used; i-- > 0;)
        v = v << 32 | n->digits[i];
    return v;
}

static struct number *times(const struct number *a, const struct number *b, const struct number *modulus)
{
    return number(value(a) * value(b) % value(modulus));
}

static struct number *plus(const struct number *a, uint32_t b)
{
    return number(value(a) + b);
}

/* x² + 1 modulo m; frees x. */
static struct number *step(struct number *x, const struct number *m)
{
    struct number *square = times(x, x, m), *result = plus(square, 1);
    free(square);
    free(x);
    return result;
}

static struct number *common(const struct number *a, const struct number *b)
{
    struct number *x = number(value(a)), *y = number(value(b));
    while (value(y)) {
        struct number *rest = number(value(x) % value(y));
        free(x);
        x = y;
        y = rest;
    }
    free(y);
    return x;
}

static void cfrac(struct work *w)
{
    /* Two primes of 28 and 29 bits: some ten thousand steps. */
    for (long i = 0; i < w->n; i++) {
        struct number *m = number((unsigned __int128)268435399 * 536870909), *slow = number(2 + i), *fast = number(2 + i), *d;
        for (;;) {
            slow = step(slow, m);
            fast = step(step(fast, m), m);
            unsigned __int128 a = value(slow), b = value(fast);
            struct number *difference = number(a > b ? a - b : b - a);
            d = common(difference, m);
            free(difference);
            if (value(d) != 1)
                break;
            free(d);
        }
        free(d), free(slow), free(fast), free(m);
    }
}

/* A cube: a product of literals, as two bit sets, and the variables it has lost. */
struct cube {
    struct cube *next;
    uint32_t bits, dashes;
    int merged;
};

static struct cube *cube(struct cube *next, uint32_t bits, uint32_t dashes)
{
    for (struct cube *c = next; c; c = c->next)
        if (c->bits == bits && c->dashes == dashes)
            return next;
    struct cube *made = taken(sizeof *made);
    *made = (struct cube){next, bits, dashes, 0};
    return made;
}

static void espresso(struct work *w)
{
    for (long i = 0; i < w->n; i++) {
        uint32_t random = 7 + i;
        struct cube *all = NULL, *primes = NULL;
        for (int k = 0; k < 90; k++)
            all = cube(all, next_random(&random) & 127, 0);
        while (all) {
            struct cube *merged = NULL;
            for (struct cube *a = all; a; a = a->next)
                for (struct cube *b = a->next; b; b = b->next) {
                    uint32_t difference = a->bits ^ b->bits;
                    if (a->dashes == b->dashes && (difference & (difference - 1)) == 0) {
                        a->merged = b->merged = 1;
                        merged = cube(merged, a->bits & ~difference, a->dashes | difference);
                    }
                }
            while (all) {
                struct cube *c = all;
                all = c->next;
                if (!c->merged)
                    primes = cube(primes, c->bits, c->dashes);
                free(c);
            }
            all = merged;
        }
        while (primes) {
            struct cube *c = primes;
            primes = c->next;
            free(c);
        }
    }
}

static const struct benchmark {
    const char *name;
    void (*run)(struct work *);
    /* Of each thread. */
    long n;
    /* Its threads have blocks of their own. */
    int blocks;
} rows[] = {
    {"pair", pair, 5000000, 0},
    {"churn", churn, 2000000, 1},
    {"larson", larson, 2000000, 1},
    {"cfrac", cfrac, 1, 0},
    {"espresso", espresso, 25, 0},
};

static const struct benchmark *running;

__attribute__((noinline)) static void work(void *of)
{
    running->run(of);
    __asm__ volatile("" ::: "memory");
}

static void *thread(void *argument)
{
    deep(11, work, argument);
    return NULL;
}

static void run(const struct benchmark *row, int threads, long divisor)
{
    pthread_barrier_t all;
    pthread_t ids[64];
    struct work works[64];
    void *(*blocks)[SLOTS] = calloc(threads, sizeof *blocks);
    uint32_t random = 1;
    long n = row->n / divisor / (threads > 2 ? threads / 2 : 1);
    if (n < 1)
        n = 1;
    for (int t = 0; row->blocks && t < threads; t++)
        for (int i = 0; i < SLOTS; i++)
            blocks[t][i] = taken(8 + next_random(&random) % 993);
    running = row;
    pthread_barrier_init(&all, NULL, threads);
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
    for (int t = 0; t < threads; t++) {
        works[t] = (struct work){n, t, threads, &all, blocks};
        if (t > 0)
            pthread_create(&ids[t], NULL, thread, &works[t]);
    }
    thread(&works[0]);
    for (int t = 1; t < threads; t++)
        pthread_join(ids[t], NULL);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = now(CLOCK_MONOTONIC) - wall;
    for (int t = 0; t < threads; t++)
        for (int i = 0; i < SLOTS; i++)
            free(blocks[t][i]);
    free(blocks);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    char name[64];
    snprintf(name, sizeof name, threads > 1 ? "%s/%d" : "%s", row->name, threads);
    printf("%s %.2f %.2f %ld\n", name, cpu / n / threads, wall / n, usage.ru_maxrss);
}

int main(int argc, char **argv)
{
    long divisor = 1;
    for (int i = 1; i < argc; i++) {
        char name[32] = "";
        int threads = 1, known = 0;
        if (atol(argv[i]) > 0) {
            divisor = atol(argv[i]);
            continue;
        }
        sscanf(argv[i], "%31[^/]/%d", name, &threads);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            if (strcmp(rows[r].name, name) == 0 && threads >= 1 && threads <= 64)
                run(&rows[r], threads, divisor), known = 1;
        if (!known) {
            fprintf(stderr, "heap: %s: not a row\n", argv[i]);
            return 2;
        }
    }
    return 0;
}
