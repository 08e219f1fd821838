/*
 * The program has a handler of its own, which jumps away: the report comes first, then the handler, with the address and the context of
 * the fault; the program goes on.
 */
#include "poke.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf before;
static volatile int caught;
static char *volatile expected;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    CHECK(signal == SIGSEGV && info->si_addr == (void *)expected && context);
    caught++;
    siglongjmp(before, 1);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, now;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    CHECK(sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_sigaction == on_fault && now.sa_flags & SA_SIGINFO);
    for (int i = 0; i < 3; i++) {
        char *block = FILLED(60); /* allocated */
        expected = block + i;
        free(block); /* freed */
#ifndef CLEAN
        if (sigsetjmp(before, 1) == 0)
            peek(block, i); /* here */
#endif
    }
    /* A fault that is the program's own. */
    expected = (char *)64;
    int soFar = caught;
    if (sigsetjmp(before, 1) == 0)
        peek((char *)64, 0);
    CHECK(caught == soFar + 1);
    printf("ok\n");
    return 0;
}
