/*
 * Two threads free the same block at the same moment, two hundred times: of each block one free is the first, and under protect the
 * allocator gets each block once. By itself the program may end in any way.
 */
#include "heap.h"

#define BLOCKS 200

static char *blocks[BLOCKS];
static pthread_barrier_t both;

static void *free_all(void *nothing)
{
    for (int i = 0; i < BLOCKS; i++) {
        pthread_barrier_wait(&both);
        free(opaque(blocks[i]));
    }
    return nothing;
}

static void *free_none(void *nothing)
{
    for (int i = 0; i < BLOCKS; i++)
        pthread_barrier_wait(&both);
    return nothing;
}

int main(void)
{
    CHECK(pthread_barrier_init(&both, NULL, 2) == 0);
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = filled(40);
    pthread_t one, other;
    CHECK(pthread_create(&one, NULL, free_all, NULL) == 0);
#ifndef CLEAN
    CHECK(pthread_create(&other, NULL, free_all, NULL) == 0);
    (void)free_none;
#else
    CHECK(pthread_create(&other, NULL, free_none, NULL) == 0);
#endif
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    /* Whole: none of them is given out twice. */
    for (int i = 0; i < BLOCKS; i++)
        *(blocks[i] = filled(40)) = (char)i;
    for (int i = 0; i < BLOCKS; i++)
        CHECK(*blocks[i] == (char)i);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    printf("ok\n");
    return 0;
}
