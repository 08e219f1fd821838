/*
 * A thread frees a block, then another does: the entry knows both.
 */
#include "heap.h"

static void *free_first(void *block)
{
    free(block); /* freed */
    return NULL;
}

static void *free_second(void *block)
{
    free(block); /* here */
    return NULL;
}

int main(void)
{
    pthread_setname_np(pthread_self(), "owner");
    char *block = filled(40); /* allocated */
    IN_THREAD(free_first, block);
#ifndef CLEAN
    IN_THREAD(free_second, opaque(block));
#else
    (void)free_second;
#endif
    printf("ok\n");
    fflush(stdout);
    _exit(0);
}
