/* C11's mutexes, conditions and call_once, by the book. */
#include "../test.h"
#include <threads.h>

static mtx_t mutex, again;
static cnd_t turned;
static once_flag once = ONCE_FLAG_INIT;
static int turn, runs;

static void routine(void)
{
    runs++;
}

static int play(void *which)
{
    int me = *(int *)which;
    call_once(&once, routine);
    for (int i = 0; i < 1000; i++) {
        CHECK(mtx_lock(&mutex) == thrd_success);
        while (turn != me)
            CHECK(cnd_wait(&turned, &mutex) == thrd_success);
        turn = !me;
        CHECK(cnd_signal(&turned) == thrd_success);
        CHECK(mtx_unlock(&mutex) == thrd_success);
        CHECK(mtx_lock(&again) == thrd_success);
        CHECK(mtx_lock(&again) == thrd_success);
        CHECK(mtx_unlock(&again) == thrd_success);
        CHECK(mtx_unlock(&again) == thrd_success);
    }
    return 0;
}

int main(void)
{
    thrd_t threads[2];
    int numbers[2] = {0, 1}, result;
    CHECK(mtx_init(&mutex, mtx_plain) == thrd_success);
    CHECK(mtx_init(&again, mtx_plain | mtx_recursive) == thrd_success);
    CHECK(cnd_init(&turned) == thrd_success);
    for (int i = 0; i < 2; i++)
        CHECK(thrd_create(&threads[i], play, &numbers[i]) == thrd_success);
    for (int i = 0; i < 2; i++)
        CHECK(thrd_join(threads[i], &result) == thrd_success);
    CHECK(runs == 1);
    CHECK(cnd_broadcast(&turned) == thrd_success);
    cnd_destroy(&turned);
    mtx_destroy(&again);
    mtx_destroy(&mutex);
    puts("ok");
    return 0;
}
