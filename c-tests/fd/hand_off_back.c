/*
 * Two threads open for each other: each closes what the other one has opened, always under one number.
 * Every close is by a thread that did not open, each had the number before: silent.
 */
#include "../test.h"

static pthread_barrier_t turn;

static void *partner(void *arg)
{
    for (int i = 0; i < 50; i++) {
        pthread_barrier_wait(&turn);
        CHECK(close(100) == 0); /* what main opened */
        AT(100, open_null());
        pthread_barrier_wait(&turn);
    }
    return arg;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&turn, NULL, 2);
    CHECK(pthread_create(&thread, NULL, partner, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        AT(100, open_null());
        pthread_barrier_wait(&turn);
        pthread_barrier_wait(&turn);
        CHECK(close(100) == 0); /* what the partner opened */
    }
    CHECK(pthread_join(thread, NULL) == 0);
    printf("ok\n");
    return 0;
}
