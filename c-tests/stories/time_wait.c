/*
 * The queue story: a passive capture system whose TIME_WAIT queue is full of garbage under load.
 *
 *     time_wait [WORKERS [SECONDS [SEED]]]      2, 5, 1
 *
 * Every connection is in a hash table, by the quartet of its addresses and ports. A closed one stays there and waits on the 2MSL
 * queue, oldest first. Workers process packets; a reaper takes connections off the queue whose time has come. All of this is
 * shared, under one rwlock.
 *
 * The bug: the reaper holds the lock for writing when it calls connection_destroy(), which locks for itself, because others call
 * it without. A second lock fails with EDEADLK, and the destructor returns: the connection is off the queue, but still in the
 * table, and still in TIME_WAIT. A SYN for the same quartet, and there are few clients, assassinates it: it is taken off the queue
 * again. With sys/queue.h, remove and remove again is insert: what once stood behind it is the head of the queue now, whatever
 * has become of it since.
 *
 * FIXED: the reaper calls what the destructor does, without locking again.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 4, PORTS = 250, BUCKETS = 4096, WAIT = 1500, AT_ONCE = 32, MOST_WORKERS = 16 };

enum state { ESTABLISHED, TIME_WAIT };

struct quartet {
    uint32_t client, server;
    uint16_t client_port, server_port;
};

struct connection {
    /* On the 2MSL queue. */
    TAILQ_ENTRY(connection) waiting;
    /* In its bucket of the table. */
    TAILQ_ENTRY(connection) chained;
    struct quartet quartet;
    uint32_t next_sequence;
    enum state state;
    /* What was reassembled last. */
    char *segment;
    uint64_t packets, bytes;
    /* When TIME_WAIT is over. */
    uint64_t expires;
};

TAILQ_HEAD(connections, connection);

/* The global TCP state, and its lock. */
static pthread_rwlock_t tcp_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct connections table[BUCKETS];
static struct connections two_msl = TAILQ_HEAD_INITIALIZER(two_msl);

/* Time is counted in packets, so that load is the same everywhere. */
static atomic_uint_fast64_t now;
static atomic_bool done;
static atomic_uint_fast64_t opened, assassinated, reaped;

static struct connections *bucket_of(const struct quartet *q)
{
    return &table[(q->client * 31 + q->client_port * 7 + q->server * 13 + q->server_port) % BUCKETS];
}

static int same(const struct quartet *a, const struct quartet *b)
{
    return a->client == b->client && a->server == b->server && a->client_port == b->client_port &&
           a->server_port == b->server_port;
}

/* With the lock held. */
static struct connection *look_up(const struct quartet *quartet)
{
    struct connection *c;
    TAILQ_FOREACH (c, bucket_of(quartet), chained)
        if (same(&c->quartet, quartet))
            return c;
    return NULL;
}

/* With the lock held for writing. */
static void connection_forget(struct connection *c)
{
    TAILQ_REMOVE(bucket_of(&c->quartet), c, chained);
    free(c->segment);
    memset(c, 0, sizeof *c);
    free(c); /* freed */
}

/* The destructor: of a connection that is on no queue any more. */
static int connection_destroy(struct connection *c)
{
    int error = pthread_rwlock_wrlock(&tcp_lock); /* failed */
    if (error)
        return error;
    connection_forget(c);
    pthread_rwlock_unlock(&tcp_lock);
    return 0;
}

static void connection_open(const struct quartet *quartet, uint32_t sequence)
{
    struct connection *c = malloc(sizeof *c); /* allocated */
    if (!c)
        abort();
    c->quartet = *quartet;
    c->next_sequence = sequence + 1;
    c->state = ESTABLISHED;
    c->segment = NULL;
    c->packets = c->bytes = c->expires = 0;
    pthread_rwlock_wrlock(&tcp_lock);
    TAILQ_INSERT_TAIL(bucket_of(quartet), c, chained);
    pthread_rwlock_unlock(&tcp_lock);
    atomic_fetch_add(&opened, 1);
}

static void two_msl_flush(void)
{
    struct connection *c;
    uint64_t time = atomic_load(&now);
    pthread_rwlock_wrlock(&tcp_lock);
    /* A few at a time: packets wait for the lock. */
    for (int i = 0; i < AT_ONCE && (c = TAILQ_FIRST(&two_msl)) && c->expires <= time; i++) {
        TAILQ_REMOVE(&two_msl, c, waiting);
#ifdef FIXED
        connection_forget(c);
#else
        connection_destroy(c);
#endif
        atomic_fetch_add(&reaped, 1);
    }
    pthread_rwlock_unlock(&tcp_lock);
}

static void *reaper(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "reaper");
    while (!atomic_load(&done)) {
        two_msl_flush();
        usleep(50);
    }
    return NULL;
}

enum flags { SYN = 1, DATA = 2, FIN = 4 };

struct packet {
    struct quartet quartet;
    enum flags flags;
    uint32_t sequence;
    size_t len;
};

/* The packets of one quartet all go to one worker; so nobody else touches a connection that is established. */
static void process(const struct packet *packet)
{
    pthread_rwlock_rdlock(&tcp_lock);
    struct connection *c = look_up(&packet->quartet);
    int waits = c && c->state == TIME_WAIT;
    pthread_rwlock_unlock(&tcp_lock);
    if (waits) {
        if (!(packet->flags & SYN))
            return;
        /* TIME_WAIT assassination, unless the reaper has been there. */
        pthread_rwlock_wrlock(&tcp_lock);
        c = look_up(&packet->quartet);
        if (c)
            TAILQ_REMOVE(&two_msl, c, waiting); /* assassinated */
        pthread_rwlock_unlock(&tcp_lock);
        if (c) {
            connection_destroy(c);
            atomic_fetch_add(&assassinated, 1);
        }
        c = NULL;
    }
    if (!c) {
        if (packet->flags & SYN)
            connection_open(&packet->quartet, packet->sequence);
        return;
    }
    c->packets++;
    c->bytes += packet->len;
    c->next_sequence = packet->sequence + (uint32_t)packet->len;
    if (packet->flags & DATA) {
        free(c->segment);
        c->segment = malloc(packet->len);
        if (!c->segment)
            abort();
        memset(c->segment, 'G' + (int)(packet->sequence % 16), packet->len);
    }
    if (packet->flags & FIN) {
        pthread_rwlock_wrlock(&tcp_lock);
        c->state = TIME_WAIT;
        c->expires = atomic_load(&now) + WAIT;
        TAILQ_INSERT_TAIL(&two_msl, c, waiting);
        pthread_rwlock_unlock(&tcp_lock);
    }
}

struct worker {
    pthread_t thread;
    unsigned number, of;
    uint64_t random;
    uint64_t until;
};

static uint32_t draw(struct worker *w)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33);
}

static uint64_t milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The traffic of a simulator with a few clients: each opens a connection from a port, sends a little, and closes it. */
static void *work(void *argument)
{
    struct worker *w = argument;
    pthread_setname_np(pthread_self(), "worker");
    for (unsigned round = 0; round % 64 || milliseconds() < w->until; round++) {
        uint32_t port = draw(w) % PORTS / w->of * w->of + w->number;
        struct packet packet = {
            .quartet = { .client = 0x0a000001 + draw(w) % CLIENTS, .server = 0x0a010001,
                         .client_port = (uint16_t)(32768 + port), .server_port = 80 },
            .flags = SYN,
            .sequence = draw(w),
        };
        process(&packet);
        atomic_fetch_add(&now, 1);
        for (unsigned i = 1 + draw(w) % 3; i > 0; i--) {
            packet.flags = DATA;
            packet.sequence++;
            packet.len = 16 + draw(w) % 240;
            process(&packet);
            atomic_fetch_add(&now, 1);
        }
        packet.flags = FIN;
        packet.len = 0;
        process(&packet);
        atomic_fetch_add(&now, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned workers = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
    unsigned seconds = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
    if (workers < 1 || workers > MOST_WORKERS || seconds < 1) {
        fprintf(stderr, "usage: time_wait [WORKERS [SECONDS [SEED]]], 1 to %d workers\n", MOST_WORKERS);
        return 2;
    }
    /* A queue that has become a ring is walked for ever. */
    alarm(seconds + 10);
    for (unsigned i = 0; i < BUCKETS; i++)
        TAILQ_INIT(&table[i]);

    pthread_t reaping;
    struct worker all[MOST_WORKERS];
    if (pthread_create(&reaping, NULL, reaper, NULL))
        abort();
    for (unsigned i = 0; i < workers; i++) {
        all[i] = (struct worker){ .number = i, .of = workers, .random = seed * 1000003 + i,
                                  .until = milliseconds() + seconds * 1000u };
        if (pthread_create(&all[i].thread, NULL, work, &all[i]))
            abort();
    }
    for (unsigned i = 0; i < workers; i++)
        pthread_join(all[i].thread, NULL);
    atomic_store(&done, true);
    pthread_join(reaping, NULL);

    for (unsigned i = 0; i < BUCKETS; i++)
        while (!TAILQ_EMPTY(&table[i]))
            connection_forget(TAILQ_FIRST(&table[i]));
    printf("survived: %lu packets, %lu connections, %lu assassinated, %lu reaped\n", (unsigned long)atomic_load(&now),
           (unsigned long)atomic_load(&opened), (unsigned long)atomic_load(&assassinated), (unsigned long)atomic_load(&reaped));
    return 0;
}
