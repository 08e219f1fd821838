/* Threads are cancelled, deferred, wherever they are in open, read, accept, poll, close; 3000 of them. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>
static int listener, quiet[2];
static void closing(void *a) { int *f = a; if (*f >= 0 && close(*f)) abort(); }
static void *work(void *a)
{
    long n = (long)a;
    for (;;) {
        int f = -1; char b;
        pthread_cleanup_push(closing, &f);
        switch (n % 4) {
        case 0: pthread_testcancel(); { int o; pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &o); f = socket(AF_INET, SOCK_STREAM, 0); pthread_setcancelstate(o, &o); } break;
        case 1: read(quiet[0], &b, 1); break;
        case 2: accept(listener, 0, 0); break;
        case 3: { struct pollfd p = { quiet[0], POLLIN }; poll(&p, 1, 1000); } break;
        }
        pthread_cleanup_pop(1);
    }
}
static int open_now(void) { int n = 0; for (int i = 0; i < 1024; i++) n += fcntl(i, F_GETFD) >= 0; return n; }
int main(void)
{
    struct sockaddr_in sa = { AF_INET }; sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&sa, sizeof sa) || listen(listener, 5) || pipe(quiet)) abort();
    int before = open_now();
    for (int wave = 0; wave < 100; wave++) {
        pthread_t t[30];
        for (long i = 0; i < 30; i++) if (pthread_create(&t[i], 0, work, (void *)i)) abort();
        if (wave % 3 == 0) usleep(300);
        for (int i = 0; i < 30; i++) pthread_cancel(t[i]);
        for (int i = 0; i < 30; i++) { void *r; pthread_join(t[i], &r); if (r != PTHREAD_CANCELED) abort(); }
    }
    puts(open_now() - before < 2000 ? "cancel ok" : "cancel leaks");
}
