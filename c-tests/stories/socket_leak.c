/*
 * The socket leak: a gateway whose plugin forgets its socket on every way out but the good one, until the process has no
 * descriptors left.
 *
 *     socket_leak PLUGIN THREADS MESSAGES     each thread sends MESSAGES messages by the plugin
 *
 * The server is a child process on loopback with a port for each of its manners: it resets before it reads, resets after,
 * keeps silent, closes without an answer, answers; one more port is taken and nobody listens there. Message after message
 * goes to the next of them, and every seventh asks for a timeout that the kernel refuses.
 *
 * stdout, `NAME: N` each: how often each way out of the plugin was taken, counted by the plugin itself.
 */
#define _GNU_SOURCE
#include "socket_leak.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX_THREADS = 256, TIMEOUT_US = 30000, TOO_LONG_US = 1500000, PAUSE_US = 10000 };
enum manner { RESETS, READS_AND_RESETS, SILENT, CLOSES, ANSWERS, REFUSES, MANNERS };

static const char *const way_names[WAYS] = {"setsockopt refused", "connect refused", "write reset",
                                            "recv reset",         "recv timed out",  "recv end"};

static int listeners[MANNERS];
static int ports[MANNERS];
static struct plugin *plugin;
static unsigned long messages;
static atomic_ulong answered, failed;

static void die(const char *what)
{
    perror(what);
    _exit(3);
}

/* A port of loopback; REFUSES is bound, so that nobody else gets it, and does not listen. */
static void bind_port(enum manner manner)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = listeners[manner] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0 || (manner != REFUSES && listen(fd, 512) != 0))
        die("socket_leak: port");
    ports[manner] = ntohs(address.sin_port);
}

/* The server, one thread for each manner, until its listener is shut down. */
static void *serve(void *arg)
{
    enum manner manner = (enum manner)(long)arg;
    int kept[4096], count = 0;
    for (;;) {
        int fd = accept4(listeners[manner], NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        char message[64];
        struct timeval patience = {.tv_sec = 1};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (manner == SILENT && count < (int)(sizeof kept / sizeof *kept)) {
            kept[count++] = fd;
            continue;
        }
        ssize_t n = manner == RESETS ? 0 : recv(fd, message, sizeof message, 0);
        if (manner == ANSWERS && n > 0)
            send(fd, message, n, MSG_NOSIGNAL);
        if (manner == RESETS || manner == READS_AND_RESETS) {
            struct linger now = {.l_onoff = 1, .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(fd);
    }
    while (count > 0)
        close(kept[--count]);
    return NULL;
}

/* Serves for as long as the gateway runs: to its end, the silent server has not closed a single connection. */
static void server(pid_t gateway)
{
    pthread_t threads[REFUSES];
    for (long manner = 0; manner < REFUSES; manner++)
        if (pthread_create(&threads[manner], NULL, serve, (void *)manner) != 0)
            die("socket_leak: thread");
    while (getppid() == gateway)
        usleep(10000);
    for (int manner = 0; manner < REFUSES; manner++) {
        shutdown(listeners[manner], SHUT_RDWR);
        pthread_join(threads[manner], NULL);
        close(listeners[manner]);
    }
    close(listeners[REFUSES]);
    exit(0);
}

static void *sender(void *arg)
{
    unsigned long first = (unsigned long)(long)arg;
    for (unsigned long i = 0; i < messages; i++) {
        unsigned turn = (first + i) % (MANNERS + 1);
        enum manner manner = turn == MANNERS ? ANSWERS : (enum manner)turn;
        unsigned timeout = turn == MANNERS ? TOO_LONG_US : manner == SILENT ? TIMEOUT_US : 900000;
        char buffer[64];
        struct net_config config = {"127.0.0.1", ports[manner], manner == RESETS ? PAUSE_US : 0};
        struct str content = {"charge 1", 8}, reply = {buffer, sizeof buffer};
        atomic_fetch_add(plugin->send_message(&config, &content, &reply, timeout) ? &answered : &failed, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc == 4 ? atoi(argv[2]) : 0;
    messages = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (threads < 1 || threads > MAX_THREADS || messages < 1) {
        fprintf(stderr, "usage: socket_leak PLUGIN THREADS MESSAGES   (1 to %d threads)\n", MAX_THREADS);
        return 2;
    }
    void *object = dlopen(argv[1], RTLD_NOW);
    if (!object || !(plugin = dlsym(object, "plugin"))) {
        fprintf(stderr, "socket_leak: %s\n", dlerror());
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    alarm(60);
    for (int manner = 0; manner < MANNERS; manner++)
        bind_port((enum manner)manner);

    pid_t gateway = getpid(), child = fork();
    if (child < 0)
        die("socket_leak: fork");
    if (child == 0)
        server(gateway);
    for (int manner = 0; manner < REFUSES; manner++)
        close(listeners[manner]);

    pthread_t ids[MAX_THREADS];
    for (long i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, sender, (void *)i) != 0)
            die("socket_leak: thread");
        pthread_setname_np(ids[i], "sender");
    }
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    close(listeners[REFUSES]);

    for (int way = 0; way < WAYS; way++)
        printf("%s: %lu\n", way_names[way], plugin->taken[way]);
    printf("no socket: %lu\nanswered: %lu\nfailed: %lu\n", plugin->refused_socket, answered, failed);
    return 0;
}
