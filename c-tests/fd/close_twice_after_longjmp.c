/*
 * A signal handler leaves a blocked read() with siglongjmp, past shim's own frame; afterwards a descriptor is closed twice.
 * C1: a hook that never returns must not leave the thread unwatched.
 */
#include "../test.h"
#include <setjmp.h>

static sigjmp_buf back;

static void on_alarm(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

static void *interrupt(void *thread)
{
    until_blocked(getpid());
    CHECK(pthread_kill(*(pthread_t *)thread, SIGVTALRM) == 0);
    return NULL;
}

int main(void)
{
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    signal(SIGVTALRM, on_alarm);
    pthread_t main_thread = pthread_self(), helper;
    CHECK(pthread_create(&helper, NULL, interrupt, &main_thread) == 0);
    if (sigsetjmp(back, 1) == 0) {
        char byte;
        CHECK(read(pipes[0], &byte, 1) == 99); /* blocks for ever */
    }
    CHECK(pthread_join(helper, NULL) == 0);
    int fd = AT(100, open_null()); /* opened */
    CHECK(close(fd) == 0);         /* closed */
#ifndef CLEAN
    CHECK(close(fd) == -1 && errno == EBADF); /* here */
#endif
    close(pipes[0]);
    close(pipes[1]);
    printf("ok\n");
    return 0;
}
