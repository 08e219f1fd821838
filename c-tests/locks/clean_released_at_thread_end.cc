/* Locks that are let go as late as a thread can: by key destructors in their last round but one, and by a thread_local. */
#include "../test.h"

static pthread_mutex_t by_key = PTHREAD_MUTEX_INITIALIZER, by_local = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t by_round = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key, rounds;

struct Held {
    bool on = false;
    ~Held()
    {
        if (on)
            pthread_mutex_unlock(&by_local);
    }
};
static thread_local Held held;

static void *worker(void *unused)
{
    pthread_mutex_lock(&by_key);
    pthread_mutex_lock(&by_local);
    pthread_mutex_lock(&by_round);
    held.on = true;
    pthread_setspecific(key, &by_key);
    pthread_setspecific(rounds, (void *)1);
    return unused;
}

int main()
{
    pthread_key_create(&key, [](void *lock) { pthread_mutex_unlock((pthread_mutex_t *)lock); });
    pthread_key_create(&rounds, [](void *round) {
        if ((long)round < 3)
            pthread_setspecific(rounds, (void *)((long)round + 1));
        else
            pthread_mutex_unlock(&by_round);
    });
    for (int i = 0; i < 20; i++)
        IN_THREAD(worker, NULL);
    puts("ok");
    return 0;
}
