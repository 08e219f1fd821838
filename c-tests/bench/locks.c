/* Bench rows of keys and locks: prints "row cpu-ns wall-ns" lines, per iteration, one row per argument. A number among the
 * arguments divides the iterations of the rows after it, for tools that are too slow for all of them.
 * Rows that end in /2 run in two threads; `others` means that another thread exists, which takes libc's own shortcuts for a
 * program of one thread away. Frames: each loop runs under 12 calls. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_key_t key;
static volatile unsigned long shared;

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void mutex_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
}

static void nested_row(long n)
{
    pthread_mutex_lock(&second);
    mutex_row(n);
    pthread_mutex_unlock(&second);
}

static void read_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_rwlock_rdlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
    }
}

static void write_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
    }
}

static void spin_row(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_spin_lock(&spin);
        pthread_spin_unlock(&spin);
    }
}

/* A short section, as of a queue, and some work of one's own between two. */
static void contended(long n)
{
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&mutex);
        for (int k = 0; k < 10; k++)
            shared += k;
        pthread_mutex_unlock(&mutex);
        for (volatile int k = 0; k < 50; k++)
            ;
    }
}

static void get_row(long n)
{
    for (long i = 0; i < n; i++)
        shared += (unsigned long)pthread_getspecific(key);
}

static void set_row(long n)
{
    for (long i = 0; i < n; i++)
        pthread_setspecific(key, &key);
}

static const struct row {
    const char *name;
    void (*run)(long);
    long n;
    int threads, others;
} rows[] = {
    {"mutex", mutex_row, 4000000, 1, 0},
    {"mutex-others", mutex_row, 4000000, 1, 1},
    {"nested", nested_row, 4000000, 1, 0},
    {"rdlock", read_row, 2000000, 1, 0},
    {"wrlock", write_row, 2000000, 1, 0},
    {"spin", spin_row, 4000000, 1, 0},
    {"contended/2", contended, 400000, 2, 0},
    {"getspecific", get_row, 10000000, 1, 0},
    {"setspecific", set_row, 5000000, 1, 0},
};

__attribute__((noinline)) static void deep(int depth, const struct row *r, long n)
{
    if (depth > 0)
        deep(depth - 1, r, n);
    else
        r->run(n);
    __asm__ volatile("" ::: "memory");
}

struct job {
    const struct row *row;
    long n;
};

static void *work(void *of)
{
    struct job *job = of;
    deep(12, job->row, job->n);
    return NULL;
}

static void *waits(void *of)
{
    (void)of;
    pause();
    return NULL;
}

static void run(const struct row *r, long n)
{
    pthread_t thread[8];
    struct job job = {r, n};
    if (r->threads == 1) {
        deep(12, r, n);
        return;
    }
    for (int i = 0; i < r->threads; i++)
        if (pthread_create(&thread[i], NULL, work, &job) != 0)
            abort();
    for (int i = 0; i < r->threads; i++)
        pthread_join(thread[i], NULL);
}

int main(int argc, char **argv)
{
    long divisor = 1;
    pthread_t other;
    if (pthread_key_create(&key, NULL) != 0 || pthread_setspecific(key, &key) != 0 || pthread_spin_init(&spin, 0) != 0)
        abort();
    for (int i = 1; i < argc; i++) {
        if (atol(argv[i]) > 0)
            divisor = atol(argv[i]);
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            const struct row *r = &rows[k];
            if (strcmp(argv[i], r->name) != 0)
                continue;
            long n = r->n / divisor;
            if (r->others && pthread_create(&other, NULL, waits, NULL) != 0)
                abort();
            run(r, n / 20);
            double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
            run(r, n);
            cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = now(CLOCK_MONOTONIC) - wall;
            printf("%s %.2f %.2f\n", r->name, cpu / n, wall / n);
        }
    }
    return 0;
}
