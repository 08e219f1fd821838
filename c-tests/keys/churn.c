/* A hundred thousand keys, one after the other, by two threads; the numbers come again. */
#include "keys.h"

static void *churns(void *argument)
{
    for (int i = 0; i < 50000; i++) {
        pthread_key_t key;
        CHECK(pthread_key_create(&key, i % 2 ? free : NULL) == 0);
        CHECK(pthread_getspecific(key) == NULL);
        CHECK(pthread_setspecific(key, argument) == 0);
        CHECK(pthread_getspecific(key) == argument);
        CHECK(pthread_key_delete(key) == 0);
    }
    return NULL;
}

int main(void)
{
    static int value;
    pthread_t other;
    CHECK(pthread_create(&other, NULL, churns, &value) == 0);
    churns(&value);
    CHECK(pthread_join(other, NULL) == 0);
    puts("ok");
    return 0;
}
