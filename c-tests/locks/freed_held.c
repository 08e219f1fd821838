/* A block is freed while the thread holds a mutex in it. */
#include "../test.h"

struct connection {
    char name[40];
    pthread_mutex_t lock;
};

int main(void)
{
    struct connection *c = calloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_lock(&c->lock); /* locked */
#ifdef CLEAN
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_destroy(&c->lock);
#endif
    free(c); /* here */
    puts("ok");
    return 0;
}
