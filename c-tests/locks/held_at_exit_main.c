/* The first thread ends by pthread_exit and holds a mutex; a worker goes on. Returning from main with it is no fault (twin). */
#include "../test.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#ifndef CLEAN
static void *worker(void *unused)
{
    pthread_join(*(pthread_t *)unused, NULL);
    puts("ok");
    exit(0);
}
#endif

int main(void)
{
    pthread_mutex_lock(&lock); /* locked */
#ifndef CLEAN
    static pthread_t self;
    self = pthread_self();
    pthread_t thread;
    pthread_create(&thread, NULL, worker, &self);
    pthread_exit(NULL);
#endif
    puts("ok");
    return 0;
}
