/*
 * The program ends while a thread waits in recv() for a message: that socket is in use.
 */
#include "../leak.h"

static int port;
static pid_t thread;
static pthread_barrier_t gate;

static void *client(void *arg)
{
    char byte;
    int fd = tcp();
    (void)arg;
    CHECK(connect_to(fd, port) == 0);
    thread = syscall(SYS_gettid);
    pthread_barrier_wait(&gate);
    recv(fd, &byte, 1, 0);
    return NULL;
}

int main(void)
{
    int server = listening(&port);
    pthread_t id;
    pthread_barrier_init(&gate, NULL, 2);
    CHECK(pthread_create(&id, NULL, client, NULL) == 0);
    CHECK(accept(server, NULL, NULL) >= 0);
    pthread_barrier_wait(&gate);
    until_blocked(thread);
    printf("ok\n");
    return 0;
}
