/*
 * A thread writes to a block that another has freed.
 */
#include "poke.h"

static void *free_it(void *block)
{
    free(block); /* freed */
    return NULL;
}

static void *write_to_it(void *block)
{
    poke(block, 100, 'w'); /* here */
    return NULL;
}

int main(void)
{
    char *block = FILLED(900); /* allocated */
    IN_THREAD(free_it, block);
#ifndef CLEAN
    IN_THREAD(write_to_it, block);
#else
    (void)write_to_it;
#endif
    printf("ok\n");
    return 0;
}
