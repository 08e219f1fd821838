/*
 * Calls from the first function of a stack of the program's own (a coroutine's), beside whose end nothing is mapped, each after another call
 * from elsewhere: whoever takes the call stack reads no further than the stack goes, however much there was the time before.
 */
#include "../test.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <ucontext.h>

static ucontext_t home, away;
static int what;

enum { CALLS = 6 };

static inline __attribute__((always_inline)) void call(int which)
{
    int two[2];
    switch (which) {
    case 0: CHECK(close(open("/dev/null", O_RDWR)) == 0); break;
    case 1: CHECK(pipe(two) == 0 && close(two[0]) == 0 && close(two[1]) == 0); break;
    case 2: CHECK(dup2(0, 50) == 50 && close(50) == 0); break;
    case 3: CHECK(fclose(fopen("/dev/null", "r")) == 0); break;
    case 4: CHECK(close(dup(0)) == 0); break;
    case 5: CHECK(close(socket(AF_UNIX, SOCK_STREAM, 0)) == 0); break;
    }
}

/* From another depth each time. */
static void __attribute__((noinline)) deep(int levels, int which)
{
    char frame[128];
    memset(frame, which, sizeof frame);
    if (levels > 0)
        deep(levels - 1, which);
    else
        call(which);
    __asm__ volatile("" : : "r"(frame) : "memory");
}

static void away_from_home(void)
{
    call(what);
}

int main(void)
{
    enum { SIZE = 1 << 18, GUARD = 1 << 16 };
    char *memory = mmap(NULL, SIZE + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory + SIZE, GUARD, PROT_NONE) == 0);
    for (int before = 0; before < CALLS; before++) {
        for (what = 0; what < CALLS; what++) {
            deep(before * CALLS + what, before);
            CHECK(getcontext(&away) == 0);
            away.uc_stack.ss_sp = memory;
            away.uc_stack.ss_size = SIZE;
            away.uc_link = &home;
            makecontext(&away, away_from_home, 0);
            CHECK(swapcontext(&home, &away) == 0);
        }
    }
    printf("ok\n");
    return 0;
}
