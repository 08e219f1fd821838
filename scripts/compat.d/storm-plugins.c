/* A plugin that opens in its constructor and closes in its destructor is loaded 2000 times while threads close sockets. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
static volatile int over;
static void *work(void *a) { while (!over) { int s[2]; if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) || close(s[0]) || close(s[1])) abort(); } return 0; }
int main(void)
{
    pthread_t t[4];
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0);
    for (int i = 0; i < 2000; i++) {
        void *h = dlopen("./plugin.so", i % 2 ? RTLD_NOW : RTLD_LAZY);
        int (*twice)(int) = h ? dlsym(h, "twice") : 0;
        if (!twice || !twice(1) || dlclose(h)) abort();
    }
    over = 1;
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    puts("plugins ok");
}
