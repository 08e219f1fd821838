/*
 * _exit runs no destructors, and the look is made all the same.
 */
#include "../lost.h"

NOINLINE static void lose(void)
{
    LOSE(HIDDEN(malloc(24))); /* allocated */
}

int main(void)
{
    lose();
    scrub();
    printf("ok\n");
    fflush(stdout);
    _exit(3);
}
