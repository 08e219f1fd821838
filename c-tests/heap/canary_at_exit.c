/*
 * A block that is never freed, and whose redzone was overwritten: found at exit, while another thread still allocates.
 */
#include "poke.h"

static void *allocate_on(void *unused)
{
    for (;;) {
        char *large = malloc(300000);
        large[299999] = 1;
        char *small = malloc(30);
        free(large);
        free(small);
    }
    return unused;
}

char *kept;

int main(void)
{
    kept = FILLED(48); /* allocated */
#ifndef CLEAN
    poke(kept, 48, 0);
    poke(kept, -1, 0);
#endif
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, allocate_on, NULL) == 0);
    usleep(20000);
    printf("ok\n");
    return peek(kept, 0) != 'x';
}
