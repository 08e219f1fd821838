/*
 * main opens and uses; a reaper thread does nothing but close what it is sent, the same number again and again.
 * U, the same stack each time: a hand-off. Silent.
 */
#include "../test.h"

static int queue[2];

static void *reaper(void *arg)
{
    int fd;
    while (read(queue[0], &fd, sizeof fd) == sizeof fd && fd >= 0) {
        CHECK(close(fd) == 0);
        CHECK(write(queue[1], &fd, sizeof fd) == sizeof fd);
    }
    return arg;
}

int main(void)
{
    int pair[2], fd;
    pthread_t thread;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    queue[0] = queue[1] = pair[1];
    CHECK(pthread_create(&thread, NULL, reaper, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        int sent = AT(100, open_null());
        CHECK(write(sent, "x", 1) == 1);
        CHECK(write(pair[0], &sent, sizeof sent) == sizeof sent);
        CHECK(read(pair[0], &fd, sizeof fd) == sizeof fd && fd == sent);
    }
    fd = -1;
    CHECK(write(pair[0], &fd, sizeof fd) == sizeof fd);
    CHECK(pthread_join(thread, NULL) == 0);
    close(pair[0]);
    close(pair[1]);
    printf("ok\n");
    return 0;
}
