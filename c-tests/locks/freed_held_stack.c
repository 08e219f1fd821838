/* A thread ends while another holds the mutex that lies on its stack. */
#include "../test.h"

static pthread_mutex_t *on_stack;
static pthread_barrier_t barrier;

static void *owner(void *unused)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t *volatile mine = &lock;
    pthread_mutex_lock(mine);
    pthread_mutex_unlock(mine);
    on_stack = mine;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static void *user(void *unused)
{
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    pthread_barrier_wait(&barrier);
    pthread_mutex_lock(on_stack); /* locked */
#ifdef CLEAN
    pthread_mutex_unlock(on_stack);
#endif
    pthread_barrier_wait(&barrier);
    pthread_join(*(pthread_t *)unused, NULL);
    pthread_mutex_unlock(&own);
    puts("ok");
    exit(0);
}

int main(void)
{
    static pthread_t threads[2];
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK(pthread_create(&threads[0], NULL, owner, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, user, &threads[0]) == 0);
    pthread_join(threads[1], NULL);
    return 1;
}
