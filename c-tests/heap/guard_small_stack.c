/*
 * The handler runs on a signal stack of 8 KiB, which is too little for an unwinder: the report comes without the stack of the access.
 */
#include "poke.h"
#include <setjmp.h>

static sigjmp_buf before;
static volatile int caught;

static void on_fault(int signal)
{
    char here;
    stack_t now;
    CHECK(signal == SIGSEGV && sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_ONSTACK);
    CHECK(&here > (char *)now.ss_sp && &here < (char *)now.ss_sp + now.ss_size);
    caught++;
    siglongjmp(before, 1);
}

int main(void)
{
    static char stack[8192];
    stack_t given = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK(sigaltstack(&given, NULL) == 0);
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    char *block = FILLED(60); /* allocated */
    free(block); /* freed */
#ifndef CLEAN
    if (sigsetjmp(before, 1) == 0)
        peek(block, 3); /* here */
#endif
    if (sigsetjmp(before, 1) == 0)
        peek((char *)64, 0);
    CHECK(caught > 0);
    printf("ok\n");
    return 0;
}
