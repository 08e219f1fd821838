/* A thread still asks for its value when another one has deleted the key. */
#include "keys.h"

static pthread_key_t key;

static void *asks(void *argument)
{
    CHECK(CALLED(pthread_getspecific(key)) == NULL); /* here */
    return argument;
}

int main(void)
{
    CHECK(pthread_key_create(&key, NULL) == 0);
#ifdef CLEAN
    IN_THREAD(asks, NULL);
#endif
    CHECK(pthread_key_delete(key) == 0);
#ifndef CLEAN
    IN_THREAD(asks, NULL);
#endif
    puts("ok");
    return 0;
}
