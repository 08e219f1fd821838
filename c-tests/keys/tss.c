/* Keys of C11 reach hidden functions of libc: deleted, and used again. */
#include "keys.h"

static tss_t key;

int main(void)
{
    CHECK(tss_create(&key, NULL) == thrd_success);
    CHECK(tss_set(key, &key) == thrd_success);
    CHECK(tss_get(key) == &key);
    tss_delete(key);
    __asm__ volatile("");
#ifndef CLEAN
    CHECK(CALLED(tss_set(key, &key)) == thrd_error);
    CHECK(CALLED(tss_get(key)) == NULL);
    tss_delete(key);
    __asm__ volatile("");
#endif
    puts("ok");
    return 0;
}
