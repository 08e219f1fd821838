/*
 * Three blocks of one place that nothing points to: definitely lost. Of a fourth, which is freed, nothing is said.
 */
#include "../lost.h"

NOINLINE static void lose(void)
{
    LOSE(HIDDEN(malloc(24))); /* allocated */
}

int main(void)
{
    for (volatile int i = 0; i < 3; i++)
        lose();
    free(HIDDEN(malloc(24)));
    scrub();
    printf("ok\n");
    return 0;
}
