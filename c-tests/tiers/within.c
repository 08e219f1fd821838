/*
 * One wrapper, two callers with frames of one size, at one place on the stack: the decision is the caller's, not that of who came
 * first. And a thread by its name, which it may change.
 */
#include "tiers.h"
#include <sys/prctl.h>

APART static void *wrapper(size_t size)
{
    void *block = malloc(size);
    return opaque(block);
}

APART static void *chosen(size_t size)
{
    void *block = wrapper(size);
    return opaque(block);
}

APART static void *left(size_t size)
{
    void *block = wrapper(size);
    return opaque(block);
}

static void *named(void *unused)
{
    (void)unused;
    for (int round = 0; round < 4; round++) {
        CHECK(pthread_setname_np(pthread_self(), round % 2 ? "other" : "placer") == 0);
        void *block = left(100);
        if (round % 2)
            ORDINARY(block);
        else
            PLACED(block);
        free(block);
    }
    return NULL;
}

int main(void)
{
    for (int i = 0; i < 1000; i++) {
        void *a = chosen(64), *b = left(64);
        if (i < 10) {
            PLACED(a);
            ORDINARY(b);
        }
        CHECK(!has_tiers() || ((uintptr_t)a >> 32 != (uintptr_t)b >> 32));
        free(a);
        free(b);
    }
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, named, NULL) == 0 && pthread_join(thread, NULL) == 0);
    printf("ok\n");
    return 0;
}
