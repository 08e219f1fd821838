/*
 * For tests of forgotten descriptors: loopback ports, and FORGET, which leaves a descriptor open or, in the clean twin,
 * closes it. Three of a kind prove a leak: the last one could still be in use.
 */
#ifndef LEAK_H
#define LEAK_H

#include "test.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/time.h>

#ifdef CLEAN
#define FORGET(fd) CHECK(close(fd) == 0)
#else
#define FORGET(fd) ((void)(fd))
#endif

static inline struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A socket with a port of its own. Nobody listens there: connections are refused. */
static inline int bound(int *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = tcp();
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static inline int listening(int *port)
{
    int fd = bound(port);
    CHECK(listen(fd, 128) == 0);
    return fd;
}

static inline int connect_to(int fd, int port)
{
    struct sockaddr_in address = loopback(port);
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

/* Closes by RST, not by FIN. */
static inline void reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0 && close(fd) == 0);
}

#endif
