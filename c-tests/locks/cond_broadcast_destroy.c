/*
 * A condition is destroyed, and its memory given back, right behind the broadcast that wakes its waiters. POSIX allows it: who was
 * woken waits on it no more, even when it has not run yet. And a condition may be waited on with another mutex by then.
 */
#include "../test.h"

enum { WAITERS = 3 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_wait = PTHREAD_COND_INITIALIZER;
static pthread_cond_t *ready;
static int waiting, round_now;

static void *worker(void *unused)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    int mine = round_now;
    waiting++;
    CHECK(pthread_cond_signal(&all_wait) == 0);
    while (round_now == mine)
        CHECK(pthread_cond_wait(ready, &mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return unused;
}

int main(void)
{
    struct timespec now = {1, 0};
    for (int i = 0; i < 300; i++) {
        pthread_t threads[WAITERS];
        CHECK(ready = malloc(sizeof *ready));
        CHECK(pthread_cond_init(ready, NULL) == 0);
        waiting = 0;
        for (int t = 0; t < WAITERS; t++)
            CHECK(pthread_create(&threads[t], NULL, worker, NULL) == 0);
        CHECK(pthread_mutex_lock(&mutex) == 0);
        while (waiting < WAITERS)
            CHECK(pthread_cond_wait(&all_wait, &mutex) == 0);
        round_now++;
        CHECK(pthread_cond_broadcast(ready) == 0);
        if (i % 2) {
            CHECK(pthread_mutex_lock(&other) == 0);
            CHECK(pthread_cond_timedwait(ready, &other, &now) == ETIMEDOUT);
            CHECK(pthread_mutex_unlock(&other) == 0);
        }
        CHECK(pthread_mutex_unlock(&mutex) == 0);
        CHECK(pthread_cond_destroy(ready) == 0);
        free(ready);
        for (int t = 0; t < WAITERS; t++)
            CHECK(pthread_join(threads[t], NULL) == 0);
    }
    puts("ok");
    return 0;
}
