/*
 * The socket crash: `Unexpected error 9 on netlink descriptor N`.
 *
 * A load tester closes a connection when the server says "Connection: close", and closes it once more when it is told
 * that the connection has ended. In between, another thread may have been given the same number: here the threads
 * that resolve names. getaddrinfo() asks the kernel for its addresses over a netlink socket of its own; when that
 * socket is closed under it, the C library aborts the whole program. (Error 9 as a rule, 107 when the number has
 * meanwhile become a client's socket.)
 *
 *     socket_crash THREADS ITERATIONS     each thread does ITERATIONS rounds
 *     socket_crash THREADS SECONDSs       for so many seconds: `socket_crash 50 5s`
 *
 * Half of the threads resolve, half connect and close. The last line of stdout is always `double closes: N`: the second
 * closes that were executed, summed over the threads, also when the C library aborts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 1024 };

/* One per thread, a cache line each, so that counting does not order the threads. */
static struct tally {
    _Alignas(64) atomic_ulong rounds;
    atomic_ulong second_closes;
    atomic_ulong hit_a_stranger; /* a second close that succeeded: it closed what another thread owned */
    atomic_ulong was_hit;        /* a first close that failed: another thread had closed ours */
} tally[MAX_THREADS];

static int threads;
static unsigned long iterations;
static double seconds;
static struct timespec begin;
static pthread_barrier_t gate;
static _Thread_local struct tally *mine;

struct connection {
    int fd;
};

static double elapsed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - begin.tv_sec) + (now.tv_nsec - begin.tv_nsec) / 1e9;
}

static int more(unsigned long round)
{
    return iterations ? round < iterations : elapsed() < seconds;
}

static void add(atomic_ulong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The response had "Connection: close": we are done with this connection. */
__attribute__((noinline)) static void finish_request(struct connection *c)
{
    if (close(c->fd) != 0)
        add(&mine->was_hit);
}

/* The server has closed its end: clean up. The bug: finish_request() may have done so already. */
__attribute__((noinline)) static void on_connection_closed(struct connection *c)
{
#ifndef CLEAN
    add(&mine->second_closes);
    if (close(c->fd) == 0)
        add(&mine->hit_a_stranger);
#endif
    c->fd = -1;
}

static void *client(void *arg)
{
    mine = arg;
    pthread_barrier_wait(&gate);
    for (unsigned long round = 0; more(round); round++) {
        struct connection c = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
        if (c.fd < 0)
            continue;
        finish_request(&c);
        on_connection_closed(&c);
        add(&mine->rounds);
    }
    return NULL;
}

static void *resolver(void *arg)
{
    mine = arg;
    /* A numeric host asks no server, AI_ADDRCONFIG asks the kernel each time. */
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    pthread_barrier_wait(&gate);
    for (unsigned long round = 0; more(round); round++) {
        struct addrinfo *found = NULL;
        if (getaddrinfo("127.0.0.1", "80", &hints, &found) == 0)
            freeaddrinfo(found);
        add(&mine->rounds);
    }
    return NULL;
}

static size_t append(char *to, size_t at, const char *text, unsigned long number)
{
    char digits[24];
    int n = 0;
    for (; *text; text++)
        to[at++] = *text;
    do
        digits[n++] = '0' + number % 10;
    while (number /= 10);
    while (n > 0)
        to[at++] = digits[--n];
    to[at++] = '\n';
    return at;
}

/* Async-signal-safe: it also runs when the C library aborts. */
static void summary(const char *outcome)
{
    struct {
        unsigned long resolved, connected, second, stranger, hit;
    } sum = {0};
    for (int i = 0; i < threads; i++) {
        *(i % 2 ? &sum.connected : &sum.resolved) += tally[i].rounds;
        sum.second += tally[i].second_closes;
        sum.stranger += tally[i].hit_a_stranger;
        sum.hit += tally[i].was_hit;
    }
    char text[512];
    size_t n = 0;
    n = append(text, n, outcome, (unsigned long)(elapsed() * 1000));
    n = append(text, n, "names resolved: ", sum.resolved);
    n = append(text, n, "connections: ", sum.connected);
    n = append(text, n, "second closes that hit another thread's descriptor: ", sum.stranger);
    n = append(text, n, "first closes that failed: ", sum.hit);
    n = append(text, n, "double closes: ", sum.second);
    if (write(STDOUT_FILENO, text, n) < 0)
        _exit(3);
}

static void on_abort(int signal)
{
    (void)signal;
    summary("aborted after ms: ");
}

int main(int argc, char **argv)
{
    threads = argc == 3 ? atoi(argv[1]) : 0;
    char *unit = "";
    if (argc == 3)
        seconds = strtod(argv[2], &unit);
    if (threads < 2 || threads > MAX_THREADS || seconds <= 0 || (*unit && strcmp(unit, "s") != 0)) {
        fprintf(stderr, "usage: socket_crash THREADS ITERATIONS|SECONDSs   (2 to %d threads)\n", MAX_THREADS);
        return 2;
    }
    if (!*unit)
        iterations = (unsigned long)seconds;

    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGABRT, on_abort);
    signal(SIGPIPE, SIG_IGN); /* as every network program does: libc may find itself writing to a client's socket */

    static pthread_t ids[MAX_THREADS];
    pthread_barrier_init(&gate, NULL, threads + 1);
    for (int i = 0; i < threads; i++) {
        errno = pthread_create(&ids[i], NULL, i % 2 ? client : resolver, &tally[i]);
        if (errno != 0) {
            perror("socket_crash: pthread_create");
            return 3;
        }
        pthread_setname_np(ids[i], i % 2 ? "client" : "resolver");
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pthread_barrier_wait(&gate);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    summary("survived, ms: ");
    return 0;
}
