/*
 * A reaper thread closes what it is sent, at two places in turn, the same number again and again.
 * P at every close (the thread never held the number and closed it before, elsewhere), never confirmed: silent.
 */
#include "../test.h"

static pthread_barrier_t turn;

static void *reaper(void *arg)
{
    for (int i = 0; i < 100; i++) {
        pthread_barrier_wait(&turn);
        if (i % 2)
            CHECK(close(100) == 0);
        else
            CHECK(close(100) == 0);
        pthread_barrier_wait(&turn);
    }
    return arg;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&thread, NULL, reaper, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        int fd = AT(100, open_null());
        CHECK(write(fd, "x", 1) == 1);
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    printf("ok\n");
    return 0;
}
