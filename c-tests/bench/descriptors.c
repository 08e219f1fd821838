/* Bench rows of the descriptor family: prints "row cpu-ns wall-ns" lines, per iteration, one row per argument. A number among the
 * arguments divides the iterations of the rows after it, for tools that are too slow for all of them.
 * Frames: each loop runs under 12 calls, so that stacks are as deep as those of a small server. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void socket_close(long n)
{
    for (long i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || close(fd) != 0)
            abort();
    }
}

static void open_close(long n)
{
    for (long i = 0; i < n; i++) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0 || close(fd) != 0)
            abort();
    }
}

static void pipe_byte(long n)
{
    int p[2];
    char c = 'x';
    if (pipe(p) != 0)
        abort();
    for (long i = 0; i < n; i++)
        if (write(p[1], &c, 1) != 1 || read(p[0], &c, 1) != 1)
            abort();
    close(p[0]);
    close(p[1]);
}

static void malloc_free(long n)
{
    for (long i = 0; i < n; i++) {
        void *volatile p = malloc(32);
        free(p);
    }
}

static const struct row {
    const char *name;
    void (*run)(long);
    long n;
} rows[] = {
    {"socket+close", socket_close, 100000},
    {"open+close", open_close, 100000},
    {"pipe-byte", pipe_byte, 300000},
    {"malloc+free", malloc_free, 10000000},
};

__attribute__((noinline)) static void deep(int depth, const struct row *r, long n)
{
    if (depth > 0)
        deep(depth - 1, r, n);
    else
        r->run(n);
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    long divisor = 1;
    for (int i = 1; i < argc; i++) {
        if (atol(argv[i]) > 0)
            divisor = atol(argv[i]);
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            const struct row *r = &rows[k];
            if (strcmp(argv[i], r->name) != 0)
                continue;
            long n = r->n / divisor;
            deep(12, r, n / 20);
            double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
            deep(12, r, n);
            cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = now(CLOCK_MONOTONIC) - wall;
            printf("%s %.2f %.2f\n", r->name, cpu / n, wall / n);
        }
    }
    return 0;
}
