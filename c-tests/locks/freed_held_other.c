/* A block is freed while another thread holds the rwlock in it for reading. */
#include "../test.h"

struct object {
    long data[20];
    pthread_rwlock_t lock;
};

static struct object *o;
static pthread_barrier_t barrier;

static void *reader(void *unused)
{
    pthread_rwlock_rdlock(&o->lock); /* locked */
#ifdef CLEAN
    pthread_rwlock_unlock(&o->lock);
#endif
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
#ifndef CLEAN
    /* The block is still ours to touch, for glibc; this thread ends without the lock. */
    pthread_exit(unused);
#endif
    return unused;
}

int main(void)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    o = calloc(1, sizeof *o);
    pthread_rwlock_init(&o->lock, NULL);
    pthread_create(&thread, NULL, reader, NULL);
    pthread_barrier_wait(&barrier);
    free(o); /* here */
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    puts("ok");
    return 0;
}
