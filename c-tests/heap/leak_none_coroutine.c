/*
 * A thread that stands on a stack of its own making, in a block, when another calls exit: that stack is a stack.
 */
#include "../lost.h"
#include <ucontext.h>

static pthread_barrier_t ready;
static ucontext_t outside, inside;

static void on_another_stack(void)
{
    void *volatile kept = HIDDEN(malloc(40));
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    (void)kept;
}

static void *body(void *unused)
{
    CHECK(getcontext(&inside) == 0);
    inside.uc_stack.ss_size = 64 << 10;
    inside.uc_stack.ss_sp = HIDDEN(malloc(inside.uc_stack.ss_size));
    makecontext(&inside, on_another_stack, 0);
    swapcontext(&outside, &inside);
    return unused;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_barrier_init(&ready, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, body, NULL) == 0);
    pthread_barrier_wait(&ready);
    scrub();
    printf("ok\n");
    return 0;
}
