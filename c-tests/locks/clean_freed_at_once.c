/*
 * An object is destroyed and freed by whoever takes its lock next, the moment that the last holder has unlocked: POSIX allows it for
 * mutexes. In turn, from many threads.
 */
#include "../test.h"

struct object {
    int users;
    pthread_mutex_t lock;
    char data[100];
};

static struct object *volatile passed;

static void *worker(void *unused)
{
    (void)unused;
    for (;;) {
        struct object *o = __atomic_load_n(&passed, __ATOMIC_ACQUIRE);
        if (o == (void *)1)
            return NULL;
        if (o == NULL || !__atomic_compare_exchange_n(&passed, &o, NULL, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            sched_yield();
            continue;
        }
        pthread_mutex_lock(&o->lock);
        int left = --o->users;
        pthread_mutex_unlock(&o->lock);
        if (left == 0) {
            pthread_mutex_destroy(&o->lock);
            free(o);
        }
    }
}

int main(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < 20000; i++) {
        struct object *o = calloc(1, sizeof *o);
        o->users = 2;
        if (i & 1)
            pthread_mutex_init(&o->lock, NULL);
        pthread_mutex_lock(&o->lock);
        while (__atomic_load_n(&passed, __ATOMIC_ACQUIRE) != NULL)
            sched_yield();
        __atomic_store_n(&passed, o, __ATOMIC_RELEASE);
        int left = --o->users;
        pthread_mutex_unlock(&o->lock);
        if (left == 0) {
            pthread_mutex_destroy(&o->lock);
            free(o);
        }
    }
    while (__atomic_load_n(&passed, __ATOMIC_ACQUIRE) != NULL)
        sched_yield();
    passed = (void *)1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    puts("ok");
    return 0;
}
