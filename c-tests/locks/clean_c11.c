/* C11: mutexes of every type, condition variables, once, keys; a timed lock that times out. */
#include "../test.h"
#include <threads.h>
#include <time.h>

static mtx_t plain, recursive, timed;
static cnd_t ready;
static once_flag once = ONCE_FLAG_INIT;
static tss_t key;
static int count, begun;

static void begin(void)
{
    begun++;
}

static int worker(void *unused)
{
    (void)unused;
    call_once(&once, begin);
    tss_set(key, &count);
    for (int i = 0; i < 200; i++) {
        mtx_lock(&recursive);
        mtx_lock(&recursive);
        mtx_unlock(&recursive);
        mtx_unlock(&recursive);
        struct timespec soon;
        timespec_get(&soon, TIME_UTC);
        soon.tv_nsec = (soon.tv_nsec + 1000000) % 1000000000;
        if (mtx_timedlock(&timed, &soon) == thrd_success)
            mtx_unlock(&timed);
        mtx_lock(&plain);
        count++;
        mtx_unlock(&plain);
        if (mtx_trylock(&plain) == thrd_success)
            mtx_unlock(&plain);
    }
    mtx_lock(&plain);
    begun += 10;
    cnd_broadcast(&ready);
    while (begun < 41)
        cnd_wait(&ready, &plain);
    mtx_unlock(&plain);
    return 0;
}

int main(void)
{
    thrd_t threads[4];
    CHECK(mtx_init(&plain, mtx_plain) == thrd_success);
    CHECK(mtx_init(&recursive, mtx_plain | mtx_recursive) == thrd_success);
    CHECK(mtx_init(&timed, mtx_timed) == thrd_success);
    CHECK(cnd_init(&ready) == thrd_success);
    CHECK(tss_create(&key, NULL) == thrd_success);
    for (int i = 0; i < 4; i++)
        CHECK(thrd_create(&threads[i], worker, NULL) == thrd_success);
    for (int i = 0; i < 4; i++)
        thrd_join(threads[i], NULL);
    tss_delete(key);
    cnd_destroy(&ready);
    mtx_destroy(&timed);
    mtx_destroy(&recursive);
    mtx_destroy(&plain);
    CHECK(count == 800);
    puts("ok");
    return 0;
}
