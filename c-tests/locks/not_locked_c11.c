/* C11: a mutex is unlocked twice; a recursive one says so. */
#include "../test.h"
#include <threads.h>

static mtx_t plain, recursive;

int main(void)
{
    CHECK(mtx_init(&plain, mtx_plain) == thrd_success);
    CHECK(mtx_init(&recursive, mtx_plain | mtx_recursive) == thrd_success);
    CHECK(mtx_lock(&plain) == thrd_success);
    CHECK(mtx_unlock(&plain) == thrd_success);
    CHECK(mtx_lock(&recursive) == thrd_success);
    CHECK(mtx_lock(&recursive) == thrd_success);
    CHECK(mtx_unlock(&recursive) == thrd_success);
    CHECK(mtx_unlock(&recursive) == thrd_success);
#ifndef CLEAN
    CHECK(mtx_unlock(&plain) == thrd_success);   /* here */
    CHECK(mtx_unlock(&recursive) == thrd_error); /* here */
#endif
    mtx_destroy(&recursive);
    puts("ok");
    return 0;
}
