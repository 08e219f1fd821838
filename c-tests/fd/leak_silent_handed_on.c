/*
 * One thread accepts, four serve and close: what they closed was opened elsewhere, and nothing is left.
 */
#include "../leak.h"

enum { CLIENTS = 80 };
static int port, queue[2];

static void *worker(void *arg)
{
    char byte;
    (void)arg;
    for (int fd; read(queue[0], &fd, sizeof fd) == sizeof fd;)
        CHECK(read(fd, &byte, 1) == 1 && close(fd) == 0);
    return NULL;
}

int main(void)
{
    int server = listening(&port);
    pthread_t threads[4];
    CHECK(pipe(queue) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    for (int i = 0; i < CLIENTS; i++) {
        int client = tcp();
        CHECK(connect_to(client, port) == 0 && write(client, "?", 1) == 1);
        int fd = accept(server, NULL, NULL);
        CHECK(write(queue[1], &fd, sizeof fd) == sizeof fd && close(client) == 0);
    }
    CHECK(close(queue[1]) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(close(queue[0]) == 0 && close(server) == 0);
    printf("ok\n");
    return 0;
}
