/*
 * Who is killed has lost nothing: there was no end at which anything should have been freed.
 */
#include "../lost.h"

NOINLINE static void lose(void)
{
    (void)HIDDEN(malloc(24));
}

int main(void)
{
    lose();
    scrub();
    printf("ok\n");
    fflush(stdout);
    raise(SIGKILL);
    return 0;
}
