/*
 * While threads wait in calls of which some say EINTR when a thread has been stopped, the process takes snapshots of its heap. No call
 * may be interrupted, and nothing that only these threads point to is lost.
 */
#include "../lost.h"
#include <poll.h>
#include <sys/epoll.h>

static int ends[2], interrupted;
static pthread_barrier_t ready;

static void answered(long result)
{
    if (result < 0)
        __atomic_fetch_add(&interrupted, 1, __ATOMIC_SEQ_CST);
}

static void *waits(void *how)
{
    void *volatile kept = HIDDEN(malloc(40));
    char byte;
    struct epoll_event event = {.events = EPOLLIN};
    struct timespec second = {1, 0};
    struct pollfd polled = {.fd = ends[0], .events = POLLIN};
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
    pthread_barrier_wait(&ready);
    switch ((long)how) {
    case 0:
        answered(epoll_wait(epoll, &event, 1, -1));
        break;
    case 1:
        answered(sigtimedwait(&mine, NULL, &second) < 0 && errno == EAGAIN ? 0 : -1);
        break;
    case 2:
        answered(nanosleep(&second, NULL));
        break;
    case 3:
        answered(poll(&polled, 1, -1));
        break;
    default:
        answered(read(ends[0], &byte, 1));
    }
    close(epoll);
    free(kept);
    return NULL;
}

int main(void)
{
    pthread_t thread[5];
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    CHECK(pipe(ends) == 0 && pthread_barrier_init(&ready, NULL, 6) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    for (long how = 0; how < 5; how++)
        CHECK(pthread_create(&thread[how], NULL, waits, (void *)how) == 0);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &signals, NULL) == 0);
    pthread_barrier_wait(&ready);
    usleep(50000);
    for (int i = 0; i < 3 && getenv("LD_PRELOAD"); i++) {
        CHECK(kill(getpid(), SIGUSR2) == 0);
        /* The snapshot is made in slices, some milliseconds apart. */
        for (int j = 0; j < 20; j++)
            usleep(5000);
    }
    CHECK(write(ends[1], "abc", 3) == 3);
    for (int i = 0; i < 5; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(interrupted == 0);
    printf("ok\n");
    return 0;
}
