/*
 * Two hundred threads, twenty at a time, each opens, uses, closes; some are joined, some detached, some use pthread_exit.
 * More threads than any table of holders has bits: silent.
 */
#include "../test.h"

static pthread_barrier_t all_open;

static void *works(void *arg)
{
    int fd = open_null(), socket = tcp();
    CHECK(fd >= 0 && socket >= 0);
    pthread_barrier_wait(&all_open);
    CHECK(write(fd, "x", 1) == 1);
    CHECK(close(fd) == 0 && close(socket) == 0);
    pthread_barrier_wait(&all_open);
    if (arg)
        pthread_exit(NULL);
    return NULL;
}

int main(void)
{
    pthread_barrier_init(&all_open, NULL, 21);
    for (int round = 0; round < 10; round++) {
        pthread_t threads[20];
        for (int i = 0; i < 20; i++)
            CHECK(pthread_create(&threads[i], NULL, works, i % 3 ? &all_open : NULL) == 0);
        pthread_barrier_wait(&all_open);
        pthread_barrier_wait(&all_open);
        for (int i = 0; i < 20; i++)
            CHECK((i % 2 ? pthread_join(threads[i], NULL) : pthread_detach(threads[i])) == 0);
    }
    printf("ok\n");
    return 0;
}
