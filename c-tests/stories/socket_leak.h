/* What the program and its plugin have in common: the interface of the plugin. */
#ifndef SOCKET_LEAK_H
#define SOCKET_LEAK_H

#include <stdatomic.h>

struct net_config {
    const char *ip;
    int port;
    /* Some gateways want a moment between the connection and the first message. */
    unsigned pause_us;
};

struct str {
    char *s;
    int len;
};

/* The ways out of send_message() on which the plugin forgets its socket: how it ended there, and how often. */
enum way { SETSOCKOPT, CONNECT, WRITE, RECV_RESET, RECV_TIMEOUT, RECV_END, WAYS };

struct plugin {
    int (*send_message)(const struct net_config *config, const struct str *content, struct str *reply, unsigned timeout);
    atomic_ulong taken[WAYS];
    /* No socket at all: EMFILE. */
    atomic_ulong refused_socket;
};

#endif
