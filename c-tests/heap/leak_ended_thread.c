/*
 * The only pointers to three blocks lay on the stack, in a thread-local variable and under a key of a thread that has ended.
 * libc keeps that stack for the next thread: what lies on it counts for nothing.
 */
#include "../lost.h"

static __thread void *volatile of_thread;
static pthread_key_t key;

NOINLINE static void lose(void)
{
    void *volatile on_stack[64];
    for (size_t i = 0; i < 64; i++)
        on_stack[i] = NULL;
    on_stack[32] = HIDDEN(malloc(40)); /* allocated */
    of_thread = HIDDEN(malloc(48)); /* allocated */
    void *of_key = HIDDEN(malloc(56)); /* allocated */
    CHECK(pthread_setspecific(key, of_key) == 0);
    LOSE(on_stack[32]);
    LOSE(of_thread);
    LOSE(of_key);
}

static void *body(void *unused)
{
    lose();
    return unused;
}

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0);
    IN_THREAD(body, NULL);
    scrub();
    printf("ok\n");
    return 0;
}
