/*
 * A program that is looked at while it runs: `shim snapshot`, `top`, `metrics`. Run by src/cli/tests/live/.
 *
 *     watched leaks N    N refused connections and N connections at the end of their stream, none of them closed
 *     watched clean N    the same, all closed
 *     watched busy N     N connections, each with a thread that waits in recv: in use, not forgotten
 *     watched idle N     N connections to one server that nobody looks at
 *     watched limit N    as leaks, with a limit that this nearly reaches
 *     watched drops N    N lists of two blocks that nobody can reach
 *     watched heap N     N blocks of 1 MiB that are kept, and N that are freed
 *     watched knot N     N threads in a ring, each holds a lock and waits for that of the next
 *     watched queue N    N threads wait for a mutex that the first thread has; more: it is let go, they all take it, and so again
 *     watched values N   N keys, the last of them deleted
 *
 * Prints `ready` when it is so. Then each line on stdin does N more of the first kind and prints `ready`; `quit` exits.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define CHECK(what) do { if (!(what)) { perror(#what); exit(2); } } while (0)

enum { LIMIT = 112 };

static int keep;
static int nowhere; /* a port at which nobody listens */

static struct sockaddr_in local(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = local(0);
    socklen_t len = sizeof a;
    CHECK(fd >= 0 && bind(fd, (void *)&a, len) == 0 && getsockname(fd, (void *)&a, &len) == 0);
    *port = a.sin_port;
    return fd;
}

static void refused(void)
{
    struct sockaddr_in a = local(nowhere);
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* refused: opened */
    CHECK(connect(fd, (void *)&a, sizeof a) == -1); /* refused: here */
    if (!keep)
        close(fd);
}

static void ended(int listener, int port)
{
    char byte;
    struct sockaddr_in a = local(port);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(client, (void *)&a, sizeof a) == 0);
    int server = accept(listener, NULL, NULL); /* ended: opened */
    CHECK(server >= 0 && close(client) == 0);
    CHECK(read(server, &byte, 1) == 0); /* ended: here */
    if (!keep)
        close(server);
}

struct waiting {
    int fd;
    volatile int tid;
};

static void *wait_for_bytes(void *arg)
{
    struct waiting *w = arg;
    char byte;
    w->tid = syscall(SYS_gettid);
    recv(w->fd, &byte, 1, 0);
    return NULL;
}

/* The thread is inside recv when the kernel says that it sleeps. */
static void until_asleep(struct waiting *w)
{
    char path[64], stat[256], state = 0;
    while (!w->tid)
        sched_yield();
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", w->tid);
    while (state != 'S') {
        FILE *f = fopen(path, "r");
        CHECK(f && fgets(stat, sizeof stat, f));
        state = strrchr(stat, ')')[2];
        fclose(f);
    }
}

static void connections(int n, int busy)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "shim-watched-%d", getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listener, (void *)&a, sizeof a) == 0 && listen(listener, n) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < n; i++)
            CHECK(accept(listener, NULL, NULL) >= 0);
        for (;;)
            pause();
    }
    struct waiting *all = calloc(n, sizeof *all);
    for (int i = 0; i < n; i++) {
        all[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(connect(all[i].fd, (void *)&a, sizeof a) == 0);
    }
    for (int i = 0; busy && i < n; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, wait_for_bytes, &all[i]) == 0);
        until_asleep(&all[i]);
    }
}

/* The blocks lead to each other, so that none is lost. */
static void grow(void)
{
    static void **kept;
    void **block = malloc(1 << 20); /* heap: kept */
    void *passing = malloc(1 << 20); /* heap: freed */
    CHECK(block && passing);
    *block = kept;
    kept = block;
    free(passing);
}

__attribute__((noinline)) static void drop(int n)
{
    for (int i = 0; i < n; i++) {
        void **volatile head = malloc(24); /* dropped */
        CHECK(head);
        *head = malloc(40);
        CHECK(*head);
    }
}

/* Nothing of it stays on the stack. */
__attribute__((noinline)) static void scrub(void)
{
    volatile char stack[8192];
    for (unsigned i = 0; i < sizeof stack; i++)
        stack[i] = 0;
}

static pthread_rwlock_t ring[16];
static pthread_barrier_t all_hold;
static int ring_len;
static volatile int in_ring[16];

static void *hold_and_want(void *of)
{
    int i = (int)(long)of;
    char name[16];
    snprintf(name, sizeof name, "ring%d", i);
    pthread_setname_np(pthread_self(), name);
    pthread_rwlock_rdlock(&ring[i]); /* knot: locked */
    pthread_barrier_wait(&all_hold);
    in_ring[i] = (int)syscall(SYS_gettid);
    pthread_rwlock_wrlock(&ring[(i + 1) % ring_len]); /* knot: waits */
    return NULL;
}

/* Until all of them sleep in the kernel, behind the last of their calls. */
static void until_they_wait(int n)
{
    for (int i = 0; i < n; i++) {
        char path[64], call[32] = "";
        while (strncmp(call, "202 ", 4) != 0) { /* futex */
            usleep(1000);
            snprintf(path, sizeof path, "/proc/self/task/%d/syscall", in_ring[i]);
            FILE *file = in_ring[i] ? fopen(path, "r") : NULL;
            if (file) {
                CHECK(fgets(call, sizeof call, file) != NULL);
                fclose(file);
            }
        }
    }
}

static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static pthread_t in_queue[16];

static void *take_table(void *of)
{
    in_ring[(long)of] = (int)syscall(SYS_gettid);
    pthread_mutex_lock(&table); /* queue: waits */
    pthread_mutex_unlock(&table);
    return NULL;
}

__attribute__((noinline)) static void hold_table(void)
{
    pthread_mutex_lock(&table); /* queue: locked */
}

/* Each time one hold of ours that ends, but the last, and one of each thread. */
static void queue(int n, int again)
{
    CHECK(n <= 16);
    if (again) {
        pthread_mutex_unlock(&table);
        for (int i = 0; i < n; i++)
            CHECK(pthread_join(in_queue[i], NULL) == 0);
    }
    hold_table();
    for (long i = 0; i < n; i++) {
        in_ring[i] = 0;
        CHECK(pthread_create(&in_queue[i], NULL, take_table, (void *)i) == 0);
    }
    until_they_wait(n);
}

static pthread_key_t sessions[16];

static void end_session(void *session)
{
    free(session);
}

static void values(int n)
{
    CHECK(n <= 16);
    for (int i = 0; i < n; i++)
        CHECK(pthread_key_create(&sessions[i], end_session) == 0); /* values: created */
    CHECK(pthread_key_delete(sessions[n - 1]) == 0);
}

static void knot(int n)
{
    ring_len = n;
    CHECK(n <= 16 && pthread_barrier_init(&all_hold, NULL, (unsigned)n) == 0);
    for (int i = 0; i < n; i++)
        CHECK(pthread_rwlock_init(&ring[i], NULL) == 0);
    for (long i = 0; i < n; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, hold_and_want, (void *)i) == 0);
    }
    until_they_wait(n);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    if (strcmp(argv[1], "limit") == 0)
        CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){LIMIT, LIMIT}) == 0);
    int n = atoi(argv[2]), port;
    char line[64];
    int reserved = bound(&nowhere), listener = bound(&port);
    CHECK(listen(listener, 16) == 0 && reserved >= 0);
    keep = strcmp(argv[1], "leaks") == 0 || strcmp(argv[1], "limit") == 0;
    pthread_setname_np(pthread_self(), "red\033[31m\"\\");
    /* A path that would break a line, a terminal and a page of metrics. */
    char hostile[80];
    snprintf(hostile, sizeof hostile, "/tmp/shim-watched-%d\n\033[31m\"\\", getpid());
    int file = open(hostile, O_CREAT | O_RDWR, 0600);
    if (file >= 0)
        unlink(hostile);
    if (strcmp(argv[1], "busy") == 0 || strcmp(argv[1], "idle") == 0)
        connections(n, argv[1][0] == 'b');
    else
        for (int i = 0; i < n && strchr("hkqv", argv[1][0]) == NULL; i++)
            ended(listener, port);
    if (argv[1][0] == 'k')
        knot(n);
    if (argv[1][0] == 'v')
        values(n);
    for (int again = 0;; again = 1) {
        if (argv[1][0] == 'q')
            queue(n, again);
        for (int i = 0; i < n && argv[1][0] == 'h'; i++)
            grow();
        if (argv[1][0] == 'd') {
            drop(n);
            scrub();
        }
        for (int i = 0; i < n && strchr("bihkqv", argv[1][0]) == NULL; i++)
            refused();
        printf("ready\n");
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin) || strcmp(line, "quit\n") == 0)
            return 0;
    }
}
