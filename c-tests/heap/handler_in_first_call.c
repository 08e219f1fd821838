/*
 * As handler_allocates, in fresh threads: the signal may come while a thread makes its first call of the heap and is not known yet, or
 * while it ends.
 */
#include "heap.h"

static volatile sig_atomic_t handled;

static void handler(int number)
{
    (void)number;
    int kept = errno;
    handled++;
    free(malloc(100));
    errno = kept;
}

static void *call(void *nothing)
{
    for (int i = 0; i < 20; i++) {
        free(NULL);
        CHECK(!opaque(calloc(SIZE_MAX / 2, 3)));
    }
    return nothing;
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    sigset_t usr1, before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    for (int i = 0; i < 2000; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, call, NULL) == 0);
        for (int j = 0; j < i % 7; j++)
            pthread_kill(thread, SIGUSR1);
        CHECK(pthread_sigmask(SIG_BLOCK, &usr1, &before) == 0);
        pthread_join(thread, NULL);
        CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    }
    CHECK(handled > 0);
    printf("ok\n");
    return 0;
}
