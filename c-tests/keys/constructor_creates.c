/* Constructors of the program and of a library create keys before anybody else. */
#include "keys.h"

static pthread_key_t key;

__attribute__((constructor(101))) static void begin(void)
{
    CHECK(pthread_key_create(&key, free) == 0);
    CHECK(pthread_setspecific(key, malloc(10)) == 0);
}

static void *lives(void *argument)
{
    CHECK(pthread_setspecific(key, malloc(20)) == 0);
    return argument;
}

int main(void)
{
    CHECK(pthread_getspecific(key) != NULL);
    IN_THREAD(lives, NULL);
    puts("ok");
    return 0;
}
