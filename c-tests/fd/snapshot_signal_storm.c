/*
 * Snapshots are asked for ten thousand times while three threads open and close: inside hooks, inside the allocator, and
 * in a fork. Nothing is leaked, nothing is said of leaks, and every call does what it does without shim.
 */
#include "../test.h"

static volatile int stop;

static void *busy(void *unused)
{
    (void)unused;
    while (!stop) {
        int fds[8];
        for (int i = 0; i < 8; i++)
            CHECK((fds[i] = i % 2 ? socket(AF_UNIX, SOCK_STREAM, 0) : open("/dev/null", O_RDONLY)) >= 0);
        for (int i = 0; i < 8; i++)
            CHECK(close(fds[i]) == 0);
        free(malloc(100));
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, busy, NULL) == 0);
    for (int round = 0; round < 10000; round++) {
        CHECK(pthread_kill(threads[round % 3], SIGWINCH) == 0);
        if (round % 1000 == 0) {
            pid_t child = fork();
            CHECK(child >= 0);
            if (child == 0) {
                int fd = open("/dev/null", O_RDONLY);
                raise(SIGWINCH);
                _exit(fd >= 0 && close(fd) == 0 ? 0 : 1);
            }
            int status;
            while (waitpid(child, &status, 0) == -1)
                CHECK(errno == EINTR);
            CHECK(status == 0);
        }
    }
    stop = 1;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("ok\n");
    return 0;
}
