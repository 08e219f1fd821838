/* Once controls: many threads, a routine that uses another control, one that is cancelled and begun anew by the next thread. */
#include "../test.h"

static pthread_once_t outer = PTHREAD_ONCE_INIT, inner = PTHREAD_ONCE_INIT, cancelled = PTHREAD_ONCE_INIT;
static pthread_barrier_t all;
static int outers, inners, ends;
static _Atomic int begun;

static void in(void)
{
    inners++;
}

static void out(void)
{
    CHECK(pthread_once(&inner, in) == 0);
    outers++;
}

static void *worker(void *unused)
{
    pthread_barrier_wait(&all);
    CHECK(pthread_once(&outer, out) == 0);
    CHECK(pthread_once(&inner, in) == 0);
    return unused;
}

static void lasts(void)
{
    if (begun++ == 0)
        for (;;)
            pause();
    ends++;
}

static void *victim(void *unused)
{
    pthread_once(&cancelled, lasts);
    return unused;
}

int main(void)
{
    pthread_t threads[8];
    CHECK(pthread_barrier_init(&all, NULL, 8) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(pthread_barrier_destroy(&all) == 0);
    CHECK(outers == 1 && inners == 1);

    CHECK(pthread_create(&threads[0], NULL, victim, NULL) == 0);
    while (!begun)
        sched_yield();
    CHECK(pthread_cancel(threads[0]) == 0);
    CHECK(pthread_join(threads[0], NULL) == 0);
    CHECK(pthread_once(&cancelled, lasts) == 0);
    CHECK(ends == 1);
    puts("ok");
    return 0;
}
