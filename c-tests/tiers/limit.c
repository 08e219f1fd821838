/* A rule places so many live bytes and no more, whoever frees; beyond them its blocks are ordinary ones. */
#include "tiers.h"

APART static void *wanted(size_t size) { return opaque(malloc(size)); }

static void *release(void *block)
{
    free(block);
    return NULL;
}

int main(void)
{
    void *blocks[5];
    for (int i = 0; i < 5; i++) {
        blocks[i] = wanted(8192);
        PLACED(blocks[i]);
    }
    /* Twice, and the second time after another thread has given back what is taken at once. One call, which is one place
     * (volatile: or the compiler makes two of it). */
    for (volatile int i = 0; i < 2; i++) {
        void *more = wanted(i ? 1 : 8192);
        ORDINARY(more);
        free(more);
        if (i)
            break;
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, release, blocks[2]) == 0 && pthread_join(thread, NULL) == 0);
        blocks[2] = wanted(8192);
        PLACED(blocks[2]);
    }
    for (int i = 0; i < 5; i++)
        free(blocks[i]);
    blocks[0] = wanted(40960);
    PLACED(blocks[0]);
    free(blocks[0]);
    printf("ok\n");
    return 0;
}
