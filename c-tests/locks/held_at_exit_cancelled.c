/* A thread is cancelled while it holds a mutex. Twin: its cleanup handler unlocks. */
#include "../test.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;

static void unlock(void *mutex)
{
    pthread_mutex_unlock(mutex);
}

static void *worker(void *unused)
{
    int clean = 0;
#ifdef CLEAN
    clean = 1;
#endif
    pthread_mutex_lock(&lock); /* locked */
    if (clean) {
        pthread_cleanup_push(unlock, &lock);
        pthread_barrier_wait(&barrier);
        pause();
        pthread_cleanup_pop(1);
    }
    pthread_barrier_wait(&barrier);
    pause();
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, worker, NULL);
    pthread_barrier_wait(&barrier);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    puts("ok");
    return 0;
}
