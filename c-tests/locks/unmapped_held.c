/* A mapping is given back while this thread and another hold locks in it. */
#include "../test.h"
#include <sys/mman.h>

static char *pages;
static pthread_barrier_t barrier;

static pthread_mutex_t *mutex_at(size_t at)
{
    return (pthread_mutex_t *)(pages + at);
}

static void *other(void *unused)
{
    pthread_mutex_lock(mutex_at(5000)); /* locked */
#ifdef CLEAN
    pthread_mutex_unlock(mutex_at(5000));
#endif
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pages = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    pthread_mutex_init(mutex_at(64), NULL);
    pthread_mutex_init(mutex_at(5000), NULL);
    pthread_mutex_init(mutex_at(13000), NULL);
    pthread_create(&thread, NULL, other, NULL);
    pthread_barrier_wait(&barrier);
    pthread_mutex_lock(mutex_at(13000)); /* it stays mapped */
    pthread_mutex_lock(mutex_at(64)); /* locked */
#ifdef CLEAN
    pthread_mutex_unlock(mutex_at(64));
#endif
    CHECK(munmap(pages, 12288) == 0); /* here */
    pthread_mutex_unlock(mutex_at(13000));
    CHECK(munmap(pages + 12288, 4096) == 0);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    puts("ok");
    return 0;
}
