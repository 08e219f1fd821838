/*
 * A signal handler closes a descriptor twice.
 * C1: close is async-signal-safe, so is its hook; the stacks go through the handler.
 */
#include "../test.h"

static void on_signal(int number)
{
    (void)number;
    close(100); /* closed */
#ifndef CLEAN
    close(100); /* here */
#endif
}

int main(void)
{
    signal(SIGUSR1, on_signal);
    AT(100, open_null()); /* opened */
    CHECK(raise(SIGUSR1) == 0);
    printf("ok\n");
    return 0;
}
