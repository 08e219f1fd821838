/*
 * One thread accepts connections, another reads from them and closes them, as most servers do.
 * The closer never opened, and gets the same numbers over and over: silent.
 */
#include "../test.h"
#include <arpa/inet.h>

static int listener, queue[2];
static struct sockaddr_in address = {.sin_family = AF_INET};

static void *acceptor(void *arg)
{
    for (int i = 0; i < 50; i++) {
        int fd = accept(listener, NULL, NULL);
        CHECK(fd >= 0 && write(queue[1], &fd, sizeof fd) == sizeof fd);
    }
    return arg;
}

static void *worker(void *arg)
{
    char byte;
    int fd;
    for (int i = 0; i < 50; i++) {
        CHECK(read(queue[0], &fd, sizeof fd) == sizeof fd);
        CHECK(read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1);
        CHECK(close(fd) == 0);
    }
    return arg;
}

int main(void)
{
    pthread_t one, two;
    socklen_t length = sizeof address;
    listener = AT(100, tcp());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 5) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(pipe(queue) == 0);
    CHECK(pthread_create(&one, NULL, acceptor, NULL) == 0 && pthread_create(&two, NULL, worker, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        char byte = 'x';
        int fd = tcp();
        CHECK(connect(fd, (struct sockaddr *)&address, length) == 0);
        CHECK(write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1);
        CHECK(close(fd) == 0);
    }
    CHECK(pthread_join(one, NULL) == 0 && pthread_join(two, NULL) == 0);
    close(listener);
    close(queue[0]);
    close(queue[1]);
    printf("ok\n");
    return 0;
}
