/* C11: a plain mutex is locked again, and a routine of call_once asks for itself. */
#include "../test.h"
#include <threads.h>

static mtx_t mutex;
static once_flag once = ONCE_FLAG_INIT;
static int runs;

static void routine(void)
{
    runs++;
#ifndef CLEAN
    call_once(&once, routine); /* here */
#endif
}

int main(void)
{
    alarm(1);
    CHECK(mtx_init(&mutex, mtx_plain) == thrd_success);
    CHECK(mtx_lock(&mutex) == thrd_success); /* locked */
#ifndef CLEAN
    CHECK(mtx_lock(&mutex) == thrd_error); /* here */
#endif
    CHECK(mtx_trylock(&mutex) == thrd_busy);
    CHECK(mtx_unlock(&mutex) == thrd_success);
    mtx_destroy(&mutex);
    call_once(&once, routine); /* locked */
    CHECK(runs == 1);
    puts("ok");
    return 0;
}
