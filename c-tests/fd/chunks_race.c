/*
 * Many threads make descriptors in many parts of the table at the same moment, so that its parts are made at the same
 * moment, too. Nothing is wrong: silent, and the recording is whole.
 */
#include "../test.h"

enum { THREADS = 32, STEP = 128 };
static pthread_barrier_t start;

static void *spread(void *arg)
{
    int base = (int)(long)arg * STEP + 128;
    pthread_barrier_wait(&start);
    int fd = AT(base, open_null());
    CHECK(write(fd, "x", 1) == 1);
    CHECK(close(fd) == 0);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&start, NULL, THREADS);
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, spread, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("ok\n");
    return 0;
}
