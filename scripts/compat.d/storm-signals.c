/* A handler at 1 kHz that opens, writes, closes, dups and pipes, in whatever its thread is doing; SECONDS of it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifndef SECONDS
#define SECONDS 3
#endif
static atomic_long handled;
static volatile int over;
static void handler(int s)
{
    int e = errno, p[2], f = open("/dev/null", O_WRONLY);
    if (f < 0 || write(f, "x", 1) != 1) abort();
    int d = dup(f), k = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (d < 0 || k < 0 || pipe(p)) abort();
    if (close(k) || close(f) || close(d) || close(p[0]) || close(p[1])) abort();
    handled++;
    errno = e;
}
static void *work(void *a)
{
    while (!over) {
        int s = socket(AF_UNIX, SOCK_STREAM, 0), f = open("/dev/null", O_RDWR), p[2];
        if (s < 0 || f < 0 || pipe(p)) abort();
        errno = 77;
        FILE *o = fopen("/dev/null", "w");
        if (!o || fclose(o)) abort();
        if (close(s) || close(f) || close(p[0]) || close(p[1])) abort();
        free(malloc(1000));
        char b[4]; int q[2]; if (pipe(q)) abort();
        if (write(q[1], "a", 1) != 1) abort();
        while (read(q[0], b, 1) != 1) if (errno != EINTR) abort();
        close(q[0]); close(q[1]);
    }
    return 0;
}
int main(void)
{
    struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
    struct itimerval iv = { { 0, 1000 }, { 0, 1000 } };
    pthread_t t[4];
    sigaction(SIGALRM, &sa, 0); sigaction(SIGPROF, &sa, 0);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0);
    setitimer(ITIMER_REAL, &iv, 0); setitimer(ITIMER_PROF, &iv, 0);
    struct timespec a, b; clock_gettime(CLOCK_MONOTONIC, &a);
    do { work_once: ; for (int i = 0; i < 10; i++) { int f = open("/dev/null", O_RDONLY); if (f < 0 || close(f)) abort(); } clock_gettime(CLOCK_MONOTONIC, &b); } while (b.tv_sec - a.tv_sec < SECONDS);
    over = 1;
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    puts(handled > 500 ? "signals ok" : "few signals");
}
