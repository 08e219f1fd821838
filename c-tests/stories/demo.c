/*
 * A small server's day, for `make demo`: one thread closes its connection twice, and the second close hits the connection that
 * another thread has opened in between. The order is fixed, so it goes wrong every time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in server = {.sin_family = AF_INET};
static pthread_barrier_t turn;

static int connect_to_server(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0)
        perror("connect");
    return fd;
}

static void finish_request(int fd)
{
    close(fd); /* the response said "Connection: close" */
}

static void on_connection_closed(int fd)
{
    close(fd); /* the server has hung up: but this was closed before */
}

static void *client(void *arg)
{
    pthread_setname_np(pthread_self(), "client");
    int fd = connect_to_server();
    finish_request(fd);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    on_connection_closed(fd);
    pthread_barrier_wait(&turn);
    return arg;
}

static void *uploader(void *arg)
{
    pthread_setname_np(pthread_self(), "uploader");
    pthread_barrier_wait(&turn);
    int fd = connect_to_server();
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    if (send(fd, "precious", 8, MSG_NOSIGNAL) == 8)
        printf("uploader: 8 bytes sent\n");
    else
        printf("uploader: %s\n", strerror(errno));
    return arg;
}

int main(void)
{
    socklen_t size = sizeof server;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&server, size) != 0 || listen(listener, 5) != 0
        || getsockname(listener, (struct sockaddr *)&server, &size) != 0) {
        perror("demo: cannot listen on 127.0.0.1");
        return 1;
    }
    pthread_barrier_init(&turn, NULL, 2);
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, client, NULL);
    pthread_create(&threads[1], NULL, uploader, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    return 0;
}
