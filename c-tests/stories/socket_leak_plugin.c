/*
 * The plugin of the socket leak: one TCP connection per message, to a server that may refuse it, reset it, keep silent or
 * close first. send_message() is the published one, with its faults: five ways out without close().
 *
 * Compiled as a shared object and loaded by socket_leak; with -DFIXED every way out closes.
 */
#include "socket_leak.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TRUE 1
#define FALSE 0

#ifdef FIXED
#define FORGET(fd) close(fd)
#else
#define FORGET(fd) ((void)(fd))
#endif

static int send_message(const struct net_config *config, const struct str *content, struct str *reply, unsigned timeout);

struct plugin plugin = {.send_message = send_message};

static void count(atomic_ulong *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static int send_message(const struct net_config *config, const struct str *content, struct str *reply, unsigned timeout)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(config->port)};
    inet_pton(AF_INET, config->ip, &server.sin_addr);
    /* As published: a timeout of a second or more is out of the range of tv_usec, and the option is refused. */
    struct timeval tv = {.tv_sec = 0, .tv_usec = timeout};

    int sockfd = socket(AF_INET, SOCK_STREAM, 0); /* opened */
    if (sockfd < 0) {
        if (atomic_fetch_add(&plugin.refused_socket, 1) == 0)
            fprintf(stderr, "plugin: error opening socket: %s\n", strerror(errno));
        return FALSE;
    }
    if (setsockopt(sockfd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) != 0) { /* setsockopt */
        count(&plugin.taken[SETSOCKOPT]);
        FORGET(sockfd);
        return FALSE;
    }
    if (connect(sockfd, (struct sockaddr *)&server, sizeof server) < 0) { /* connect */
        count(&plugin.taken[CONNECT]);
        FORGET(sockfd);
        return FALSE;
    }
    if (config->pause_us)
        usleep(config->pause_us);
    if (write(sockfd, content->s, content->len) < 0) { /* write */
        count(&plugin.taken[WRITE]);
        FORGET(sockfd);
        return FALSE;
    }
    int n = recv(sockfd, reply->s, reply->len, 0); /* recv */
    if (n < 0) {
        count(&plugin.taken[errno == EAGAIN ? RECV_TIMEOUT : RECV_RESET]);
        FORGET(sockfd);
        return FALSE;
    }
    if (n == 0) {
        count(&plugin.taken[RECV_END]);
        FORGET(sockfd);
        return FALSE;
    }
    reply->len = n;
    close(sockfd);
    return TRUE;
}
