/*
 * Threads are cancelled while they do nothing but allocate and free, at the cancellation points between; their cleanup handlers free
 * what they hold.
 */
#include "heap.h"

static void release(void *block)
{
    free(*(char **)block);
    free(filled(20));
}

static void *work(void *nothing)
{
    char *volatile block = NULL; /* the cleanup is entered by a longjmp */
    pthread_cleanup_push(release, (void *)&block);
    for (unsigned i = 0;; i++) {
        char *next = filled(i % 2000 + 1);
        free(block);
        block = next;
        if (i % 16 == 0)
            pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return nothing;
}

int main(void)
{
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
        for (int j = 0; j < i % 4; j++)
            sched_yield();
        CHECK(pthread_cancel(thread) == 0);
        void *result;
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    }
    printf("ok\n");
    return 0;
}
