/*
 * A thread is cancelled while it waits in accept(); its cleanup handler closes the listening socket.
 * The hook is unwound, not returned from: silent.
 */
#include "../test.h"
#include <arpa/inet.h>

static int listener;
static pid_t waiting;
static pthread_barrier_t started;

static void cleanup(void *arg)
{
    (void)arg;
    CHECK(close(listener) == 0);
}

static void *acceptor(void *arg)
{
    waiting = gettid();
    pthread_cleanup_push(cleanup, NULL);
    pthread_barrier_wait(&started);
    CHECK(accept(listener, NULL, NULL) == 9999); /* never returns */
    pthread_cleanup_pop(1);
    return arg;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pthread_t thread;
    void *result;
    pthread_barrier_init(&started, NULL, 2);
    listener = AT(100, tcp());
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    CHECK(pthread_create(&thread, NULL, acceptor, NULL) == 0);
    pthread_barrier_wait(&started);
    until_blocked(waiting);
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    printf("ok\n");
    return 0;
}
