/* More locks at a time than a thread's list has room for, let go in either order; and by a thread that ends with none. */
#include "../test.h"

enum { MANY = 40 };
static pthread_mutex_t locks[MANY];

static void *worker(void *unused)
{
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MANY; i++)
            CHECK(pthread_mutex_lock(&locks[i]) == 0);
        for (int i = 0; i < MANY; i++)
            CHECK(pthread_mutex_unlock(&locks[round & 1 ? i : MANY - 1 - i]) == 0);
        for (int i = 0; i < MANY; i++) {
            CHECK(pthread_mutex_lock(&locks[i]) == 0);
            CHECK(pthread_mutex_unlock(&locks[i]) == 0);
        }
    }
    return unused;
}

int main(void)
{
    for (int i = 0; i < MANY; i++)
        pthread_mutex_init(&locks[i], NULL);
    worker(NULL);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, worker, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < MANY; i++)
        CHECK(pthread_mutex_destroy(&locks[i]) == 0);
    puts("ok");
    return 0;
}
