/*
 * Plugins with large thread-local data are opened a hundred times, each time with fresh threads that use it, and with threads that were
 * there before.
 */
#include "heap.h"
#include "../plugin.h"

static int (*touch)(int);
static pthread_barrier_t round_;
static int rounds_left = 100;

static void *user(void *number)
{
    int n = (int)(intptr_t)number;
    CHECK(touch(n) >= n);
    free(filled(50));
    return NULL;
}

static void *old_thread(void *nothing)
{
    for (;;) {
        pthread_barrier_wait(&round_);
        if (rounds_left == 0)
            return nothing;
        CHECK(touch(1) >= 1);
        pthread_barrier_wait(&round_);
    }
}

int main(void)
{
    CHECK(pthread_barrier_init(&round_, NULL, 2) == 0);
    pthread_t old;
    CHECK(pthread_create(&old, NULL, old_thread, NULL) == 0);
    for (; rounds_left > 0; rounds_left--) {
        void *plugin = open_plugin(rounds_left % 2 ? "lib_tls" : "lib_static_tls");
        *(void **)&touch = dlsym(plugin, "touch");
        CHECK(touch);
        CHECK(touch(2) >= 2);
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            CHECK(pthread_create(&threads[i], NULL, user, (void *)(intptr_t)(i + 1)) == 0);
        pthread_barrier_wait(&round_);
        pthread_barrier_wait(&round_);
        for (int i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        dlclose(plugin);
    }
    pthread_barrier_wait(&round_);
    pthread_join(old, NULL);
    printf("ok\n");
    return 0;
}
