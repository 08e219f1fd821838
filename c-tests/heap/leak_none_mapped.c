/*
 * Pointers in memory that the program has mapped itself, private and shared, at places where blocks and threads were before:
 * what they point to is reachable.
 */
#include "../lost.h"
#include <sys/mman.h>

static void *nothing(void *unused)
{
    return unused;
}

NOINLINE static void keep(void)
{
    /* Large blocks are mappings of their own; their place is free again. */
    for (int i = 0; i < 4; i++)
        free(HIDDEN(calloc(1, 1 << 20)));
    IN_THREAD(nothing, NULL);
    for (int i = 0; i < 8; i++) {
        int kind = i % 2 ? MAP_SHARED : MAP_PRIVATE;
        void **memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
        CHECK(memory != MAP_FAILED);
        memory[70000] = HIDDEN(malloc(40));
        memory[131071] = HIDDEN(malloc(48));
    }
}

int main(void)
{
    keep();
    scrub();
    printf("ok\n");
    return 0;
}
