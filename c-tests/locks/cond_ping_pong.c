/* Two threads hand a token to and fro, 100,000 times: nothing is said, and not much is lost. */
#include "../test.h"

static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int turn;

static void play(int me)
{
    for (int i = 0; i < 100000; i++) {
        CHECK(pthread_mutex_lock(&mutex) == 0);
        while (turn != me)
            CHECK(pthread_cond_wait(&turned, &mutex) == 0);
        turn = !me;
        CHECK(pthread_cond_signal(&turned) == 0);
        CHECK(pthread_mutex_unlock(&mutex) == 0);
    }
}

static void *other(void *unused)
{
    play(1);
    return unused;
}

int main(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, other, NULL) == 0);
    play(0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_cond_destroy(&turned) == 0);
    puts("ok");
    return 0;
}
