/*
 * A cancellation is pending when a thread calls close(), which is where it takes effect, before the descriptor is closed.
 * The cleanup handler closes it.
 * The record has seen two closes begin; the kernel has made one: silent.
 */
#include "../test.h"

static pthread_barrier_t turn;

static void cleanup(void *fd)
{
    CHECK(close(*(int *)fd) == 0);
}

static void *closer(void *arg)
{
    int fd = AT(100, open_null()), socket = AT(110, tcp());
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_cleanup_push(cleanup, &socket);
    pthread_cleanup_push(cleanup, &fd);
    close(arg ? socket : fd);
    CHECK(!"cancelled");
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void)
{
    pthread_barrier_init(&turn, NULL, 2);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        void *result;
        CHECK(pthread_create(&thread, NULL, closer, i ? &turn : NULL) == 0);
        pthread_barrier_wait(&turn);
        CHECK(pthread_cancel(thread) == 0);
        pthread_barrier_wait(&turn);
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    }
    printf("ok\n");
    return 0;
}
