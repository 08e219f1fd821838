/*
 * Three threads that close what they are sent, by number, and never use it: the first closes a number of its own and then,
 * elsewhere, one that the second has sent; the second closes, under the same number, one that the third has sent, as it has closed
 * others before.
 * To us the second thread looks like one whose descriptor was closed by mistake and who now closes the third's: the twin of
 * stale_close_chain.c. Silent, because the place is known for it, and protect lets it be.
 */
#include "../test.h"
#include "../raw_syscall.h"

static pthread_barrier_t turn;

__attribute__((noinline)) static void close_sent(int fd)
{
    CHECK(close(fd) == 0);
}

static void *first(void *arg)
{
    int fd = AT(100, open_null());
    CHECK(close(fd) == 0);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    CHECK(close(100) == 0);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return arg;
}

static void *second(void *arg)
{
    close_sent(101);
    pthread_barrier_wait(&turn);
    AT(100, open_null());
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    close_sent(100);
    return arg;
}

static void *third(void *arg)
{
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    AT(100, open_null());
    pthread_barrier_wait(&turn);
    return arg;
}

int main(void)
{
    pthread_t threads[3];
    AT(101, open_null());
    pthread_barrier_init(&turn, NULL, 3);
    CHECK(pthread_create(&threads[0], NULL, first, NULL) == 0 && pthread_create(&threads[1], NULL, second, NULL) == 0);
    CHECK(pthread_create(&threads[2], NULL, third, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("100: %s\n", raw_is_open(100) ? "open" : "closed");
    printf("ok\n");
    return 0;
}
