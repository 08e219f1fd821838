/*
 * A program with very many descriptors, and a thread that notices when it is stopped. Run by scripts/check-scale.
 *
 *     many N     half of them sockets, half /dev/null; from 16 places
 *
 * Prints `ready N` when they are open; fewer than asked for when the hard limit does not allow more. Then each line on stdin
 * prints the longest time between two readings of the clock since the line before, in microseconds; and the longest in
 * which the scheduler had not given the processor to another.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static atomic_long longest, not_preempted;

static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void most(atomic_long *of, long gap)
{
    long seen = *of;
    while (gap > seen && !atomic_compare_exchange_weak(of, &seen, gap))
        ;
}

static void *watch(void *unused)
{
    long switches = 0;
    for (long before = now();;) {
        long after = now(), gap = after - before;
        if (gap > 100000) {
            struct rusage usage;
            getrusage(RUSAGE_THREAD, &usage);
            most(&longest, gap);
            if (usage.ru_nivcsw == switches)
                most(&not_preempted, gap);
            switches = usage.ru_nivcsw;
            after = now();
        }
        before = after;
    }
    return unused;
}

#define PLACE(n) static __attribute__((noinline)) int place_##n(int socket_wanted) \
    { \
        int fd = socket_wanted ? socket(AF_INET, SOCK_STREAM, 0) : open("/dev/null", O_RDONLY); \
        __asm__ volatile(""); \
        return fd; \
    }
PLACE(0) PLACE(1) PLACE(2) PLACE(3) PLACE(4) PLACE(5) PLACE(6) PLACE(7)
static int (*const places[])(int) = {place_0, place_1, place_2, place_3, place_4, place_5, place_6, place_7};

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 100000;
    rlim_t wanted = n + 1000;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        rlim_t hard = limit.rlim_max;
        limit.rlim_cur = wanted;
        limit.rlim_max = hard < wanted ? wanted : hard;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            /* Not allowed to: as many as there may be. */
            limit.rlim_cur = limit.rlim_max = hard;
            if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
                perror("many: RLIMIT_NOFILE");
                return 1;
            }
            n = (int)hard - 100;
        }
    }
    for (int i = 0; i < n; i++) {
        if (places[i % 8](i / 8 % 2) < 0) {
            perror("many");
            return 1;
        }
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) != 0)
        return 1;
    printf("ready %d\n", n);
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        printf("%ld %ld\n", atomic_exchange(&longest, 0) / 1000, atomic_exchange(&not_preempted, 0) / 1000);
        fflush(stdout);
    }
    _exit(0);
}
