/* A semaphore keeps threads apart, and hands over: posted by another thread, and by a handler of signals. It has no owner. */
#include "../test.h"
#include <semaphore.h>

static sem_t gate, handed, signalled;
static long count;

static void handler(int unused)
{
    int before = errno;
    (void)unused;
    sem_post(&signalled);
    errno = before;
}

static void *worker(void *unused)
{
    for (int i = 0; i < 50000; i++) {
        CHECK(sem_wait(&gate) == 0);
        count++;
        CHECK(sem_post(&gate) == 0);
    }
    CHECK(sem_post(&handed) == 0);
    return unused;
}

int main(void)
{
    pthread_t threads[2];
    CHECK(sem_init(&gate, 0, 1) == 0);
    CHECK(sem_init(&handed, 0, 0) == 0);
    CHECK(sem_init(&signalled, 0, 0) == 0);
    CHECK(signal(SIGUSR1, handler) != SIG_ERR);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(sem_wait(&handed) == 0);
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(count == 100000);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(sem_wait(&signalled) == 0);
    puts("ok");
    return 0;
}
