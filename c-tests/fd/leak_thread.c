/*
 * Eight threads do the same; one of them forgets what was refused. Only its descriptors are named.
 */
#include "../leak.h"

static int port;

static void *worker(void *arg)
{
    for (int i = 0; i < 10; i++) {
        int fd = tcp();                      /* opened */
        CHECK(connect_to(fd, port) == -1); /* here */
        if (arg == NULL)
            FORGET(fd);
        else
            CHECK(close(fd) == 0);
    }
    return NULL;
}

int main(void)
{
    int nobody = bound(&port);
    pthread_t threads[8];
    for (long i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, i == 5 ? NULL : &threads[i]) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    /* Whoever came last may still want what it has: that is not the one who forgot. */
    IN_THREAD(worker, &threads[0]);
    CHECK(close(nobody) == 0);
    printf("ok\n");
    return 0;
}
