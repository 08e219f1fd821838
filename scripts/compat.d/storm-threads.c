/* 1000 threads at once, ten waves; each makes, uses and closes descriptors, half of them close what another has opened. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/socket.h>
enum { THREADS = 1000 };
static int slots[THREADS];
static pthread_barrier_t gate;
static void *work(void *a)
{
    long n = (long)a;
    pthread_barrier_wait(&gate);
    for (int i = 0; i < 20; i++) {
        int p[2], s = socket(AF_UNIX, SOCK_STREAM, 0), f = open("/dev/null", O_WRONLY);
        if (s < 0 || f < 0 || pipe(p)) abort();
        if (write(f, "x", 1) != 1 || write(p[1], "x", 1) != 1) abort();
        if (close(s) || close(f) || close(p[0]) || close(p[1])) abort();
        char *m = malloc(100 + i); m[0] = 1; free(m);
    }
    slots[n] = open("/dev/null", O_RDONLY);
    if (slots[n] < 0) abort();
    pthread_barrier_wait(&gate);
    if (close(slots[THREADS - 1 - n])) abort();
    return 0;
}
int main(void)
{
    pthread_attr_t attr; pthread_attr_init(&attr); pthread_attr_setstacksize(&attr, 64 << 10);
    for (int wave = 0; wave < 10; wave++) {
        pthread_t t[THREADS];
        pthread_barrier_init(&gate, 0, THREADS);
        for (long i = 0; i < THREADS; i++) if (pthread_create(&t[i], &attr, work, (void *)i)) abort();
        for (int i = 0; i < THREADS; i++) pthread_join(t[i], 0);
    }
    puts("threads ok");
}
