/* A table grows, and moves, while the thread holds the mutex in it. */
#include "../test.h"

struct table {
    pthread_mutex_t lock;
    char data[64];
};

static void *volatile behind;

int main(void)
{
    struct table *t = calloc(1, sizeof *t);
    behind = malloc(5000);
    pthread_mutex_init(&t->lock, NULL);
#ifdef CLEAN
    /* It stays where it is. */
    pthread_mutex_lock(&t->lock);
    struct table *same = realloc(t, sizeof *t - 8);
    CHECK(same == t);
    pthread_mutex_unlock(&t->lock);
#else
    pthread_mutex_lock(&t->lock); /* locked */
#endif
    struct table *moved = realloc(t, 100000); /* here */
    CHECK(moved != NULL && (void *)moved != (void *)t);
    free(moved);
    free(behind);
    puts("ok");
    return 0;
}
