/*
 * At exit seven threads wait, in read, epoll_wait, a futex, nanosleep, sigwait, poll and pause, and two run. What only they point to, from
 * the stack, a thread-local variable, a key, or a register, is reachable, and exit is not held up.
 */
#include "../lost.h"
#include <poll.h>
#include <sys/epoll.h>

static __thread void *volatile of_thread;
static pthread_key_t key, many[40];
static pthread_barrier_t ready;
static pthread_mutex_t held_by_main = PTHREAD_MUTEX_INITIALIZER;
static int ends[2], epoll;

NOINLINE static void wait_somehow(long how)
{
    char byte;
    struct epoll_event event;
    int signal;
    sigset_t none;
    struct pollfd polled = {.fd = ends[0], .events = POLLIN};
    sigemptyset(&none);
    sigaddset(&none, SIGUSR1);
    switch (how) {
    case 0:
        CHECK(read(ends[0], &byte, 1) < 0);
        break;
    case 1:
        CHECK(epoll_wait(epoll, &event, 1, -1) < 0);
        break;
    case 2:
        pthread_mutex_lock(&held_by_main);
        break;
    case 3:
        sleep(1000);
        break;
    case 4:
        sigwait(&none, &signal);
        break;
    case 5:
        poll(&polled, 1, -1);
        break;
    default:
        pause();
    }
    abort();
}

static void *waits(void *how)
{
    void *volatile on_stack = HIDDEN(malloc(40));
    of_thread = HIDDEN(malloc(48));
    CHECK(pthread_setspecific(key, HIDDEN(malloc(56))) == 0);
    CHECK(pthread_setspecific(many[39], HIDDEN(malloc(64))) == 0);
    pthread_barrier_wait(&ready);
    wait_somehow((long)how);
    return on_stack;
}

static void *runs(void *unused)
{
    void *in_register = HIDDEN(malloc(72));
    pthread_barrier_wait(&ready);
#ifdef __x86_64__
    /* Nowhere else: the stack has been used again since. */
    __asm__ volatile("mov %0, %%r15; xor %0, %0; 1: pause; jmp 1b" : "+r"(in_register) : : "r15", "memory");
#endif
    for (;;)
        __asm__ volatile("" : "+r"(in_register) : : "memory");
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_mutex_lock(&held_by_main);
    CHECK(pipe(ends) == 0 && pthread_key_create(&key, NULL) == 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll >= 0);
    for (int i = 0; i < 40; i++)
        CHECK(pthread_key_create(&many[i], NULL) == 0);
    CHECK(pthread_barrier_init(&ready, NULL, 10) == 0);
    for (long how = 0; how < 7; how++)
        CHECK(pthread_create(&thread, NULL, waits, (void *)how) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&thread, NULL, runs, NULL) == 0);
    pthread_barrier_wait(&ready);
    scrub();
    printf("ok\n");
    return 0;
}
