/*
 * A signal handler closes a descriptor, and opens and closes one of its own, while the program opens and closes others.
 * Once each: silent, and no deadlock when the signal comes inside a hook.
 */
#include "../test.h"
#include <sys/time.h>

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    close(dup2(1, 100));
    signals++;
}

int main(void)
{
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    signal(SIGVTALRM, on_signal);
    setitimer(ITIMER_VIRTUAL, &often, NULL);
    while (signals < 5) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(close(fd) == 0);
        CHECK(dup2(1, 110) == 110 && close(110) == 0);
    }
    setitimer(ITIMER_VIRTUAL, &never, NULL);
    printf("ok\n");
    return 0;
}
