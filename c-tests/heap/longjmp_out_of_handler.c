/*
 * A signal handler jumps out of what it has interrupted, which may be one of our hooks: never inside libc's malloc (the interrupted
 * calls fail before its lock), so by itself it is safe. Afterwards the heap is watched as before.
 */
#include "heap.h"
#include <setjmp.h>
#include <sys/time.h>

static sigjmp_buf back;
static volatile sig_atomic_t armed, jumped;

static void handler(int number)
{
    (void)number;
    if (armed) {
        armed = 0;
        jumped++;
        siglongjmp(back, 1);
    }
}

int main(void)
{
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    while (jumped < 300) {
        if (sigsetjmp(back, 1) == 0) {
            armed = 1;
            for (;;) {
                free(NULL);
                CHECK(!opaque(calloc(SIZE_MAX / 2, 3)));
            }
        }
        free(filled(100));
    }
    memset(&every, 0, sizeof every);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    printf("ok\n");
    return 0;
}
